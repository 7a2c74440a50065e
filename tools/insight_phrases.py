"""Made-up talk, so that the models of the offline insights see more than one kind of meeting.

The AMI meetings say "you will be working on the look and feel"; offices say "Sarah will send the
invoice by Friday". And what must not be found there is rare in AMI: debates, lectures, phone calls.
"""

import random
from collections.abc import Iterator


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


NAMES = _lines(
    """
Anna
Sarah
David
Peter
Maria
Michael
Laura
Omar
Robert
Emma
Priya
Tom
Julia
Kevin
Nina
Paul
Helen
Carlos
Fatima
George
Rachel
Simon
Karen
Daniel
Sofia
Martin
"""
)
THINGS = _lines(
    """
the report
the invoice
the slides
the contract
the budget
the test results
the server
the job description
the website
the newsletter
the figures for March
the lesson plan
the draft
the booking
the order
the application form
the database
the prototype
the meeting notes
the training course
the insurance papers
the floor plan
the grant proposal
the survey
the price list
the schedule
the patient's file
the data set
the recordings
the minutes
"""
)
TASKS = _lines(
    """
send {thing}
send {thing} to the client
update {thing}
review {thing}
call the landlord
check {thing}
finish {thing}
write {thing}
email {thing} to everybody
prepare {thing}
talk to the supplier about {thing}
book the room
ask legal about {thing}
share {thing}
look into {thing}
set up a call with the vendor
rewrite {thing}
fix the login page
find out how much {thing} costs
contact the bank
order new chairs
draft a proposal
put together {thing}
upload {thing}
go through {thing} with the team
collect the feedback
run the experiment again
interview the candidates
arrange a visit
test the new version
get a quote for {thing}
circulate {thing}
follow up with {name}
make a list of questions
"""
)
DUES = _lines(
    """
by Friday
by the end of the week
tomorrow
next week
on Monday
before the next meeting
by the end of next week
this afternoon
by Wednesday
before the deadline
in two weeks
today
by the end of the month
on Thursday morning
before lunch
by the tenth of May
as soon as possible
"""
)
TASKED = _lines(
    """
{name} will {task} {due}.
{name} will {task}.
{name} is going to {task} {due}.
{name} needs to {task} {due}.
{name} has to {task} {due}.
{name} agreed to {task} {due}.
{name}, can you {task} {due}?
{name}, could you {task}?
{name} can you please {task} {due}
Can you {task} {due}, {name}?
I will {task} {due}.
I'll {task} {due}.
I'll {task} and let you know.
I can {task} {due}.
So I will {task}, and {name} will {task}.
Please {task} {due}.
{name}, please {task} {due}.
The marketing team has to {task} {due}.
The design team should {task} {due}.
We need to {task} {due}.
We should {task} {due}.
So the action for {name} is to {task}.
Action item for {name}: {task} {due}.
I'm going to {task} {due}.
Let me {task} {due}.
Then you {task} {due}, okay?
{name} and {name} will {task} {due}.
Could you {task} {due}?
Don't forget to {task} {due}.
Ask {name} to {task} {due}.
I want {name} to {task}.
You will {task} {due}.
Okay {name}, you {task}, I {task}.
I promise to {task} {due}.
{name} volunteered to {task}.
So you're going to {task} and I'm going to {task}.
Let's schedule a call {due}.
{name} is responsible for {thing}, please {task} {due}.
I will write to the committee about that.
We will send you a note with the figures.
The report must be finished {due}.
"""
)
DECIDED = _lines(
    """
We agreed to {task}.
We decided to {task}.
We have decided to {task}.
So we agreed on {thing}.
It was agreed to {task}.
The board has approved {thing}.
Okay, so we go with {thing}.
Let's go with {thing}.
The decision is to {task}.
We decided against {thing}.
The committee approved {thing}.
So that's decided, we move {thing} to June.
Then we will not {task}, agreed?
We agreed to move {thing} to March.
We are going with {thing} then.
All in favour? Good, {thing} is approved.
We voted to {task}.
We all agreed that {thing} comes first.
"""
)
ASKED = _lines(
    """
When will {thing} be ready?
Who is going to {task}?
Do we have the money for {thing}?
How do we pay for {thing}?
Why is {thing} so late?
Should we {task} or wait until June?
What about {thing}?
Is {thing} ready for the release?
Who pays for {thing}?
How much does {thing} cost?
What happens if {thing} is late?
Which supplier do we take?
"""
)
IDLE_QUESTIONS = _lines(
    """
Is that enough?
Can you hear me?
Right?
Okay?
Is that right?
You know?
Is everybody here?
Shall we start?
Is that okay?
What was that?
Sorry?
Are you sure?
Really?
What do you mean?
Could you plug me in?
Can I go first?
Do you see my screen?
How are you?
Any questions?
Could you repeat that?
Can you say that again?
Do you want to go first?
Is it on?
Who's next?
Are you finished?
Can I just say something?
Does that make sense?
Isn't it?
"""
)
IDLE = _lines(
    """
I'll start, if that's okay.
I will be brief.
We will see what happens.
It will rain tomorrow.
Let us move on.
Let's start with {thing}.
I'll come back to that.
I'll show you the next slide.
Let me share my screen.
I will now turn to {thing}.
We'll talk about {thing} in a minute.
Okay, so next we will look at {thing}.
I'll just go through it quickly.
Thank you for joining.
{thing} will be ready on Monday.
{thing} went up last year.
{thing} is almost finished.
The release schedule will change next week.
Sales will go up ten percent next month.
Businesses have to assume the costs.
We need a commitment at the federal level.
The government should do more for small businesses.
Will the minister admit that this is failing?
The Prime Minister will have to answer for that.
We have to protect the most vulnerable.
We will continue to support families.
I would like to thank the member for his question.
I have to say that {thing} surprised me.
I will be splitting my time with the member for Kingston.
You have to understand that this takes time.
You can see it on the left.
You will find that it grows.
If you press here it will start.
They will have to pay for it.
They should have asked us.
In this lecture we will look at cells.
Today I want to talk about energy.
We will see next week why this is so.
As we will see, the theorem follows.
Let's take an example.
You should remember this formula.
We need to assume that the function is continuous.
So if we write it down, we get the same result.
Let x be a number.
Now we have to divide by two.
The cell then has to copy its genes.
That would be a good idea.
I think we should be careful.
It should work like that.
I could do that, maybe.
I was going to say the same.
I called the landlord last week.
{name} sent {thing} yesterday.
{name} has already finished {thing}.
We talked to the supplier on Monday.
I used to {task} every day.
Nobody wanted to {task}.
They told me to {task}, but I never did.
If I {task}, what happens?
He will {task} anyway.
We would have to {task}, but there is no money.
People have to {task} all the time.
I won't {task}.
We cannot {task} now.
We have not decided yet.
The problem is {thing}.
There were two problems with {thing}.
I like {thing}.
The customers want {thing}.
Yes.
Okay.
Right.
Good.
I see.
Exactly.
That's true.
Yeah, I think so too.
No, not really.
Well, maybe.
{thing} is too expensive.
It's about {thing}.
That is all, thank you.
Nice to see you all.
The next meeting is on Thursday.
Somebody should really {task} one day.
You will receive a transcript to check for accuracy.
I call the meeting to order.
I will pass over to {name}.
Over to you, {name}.
{name} will tell us about {thing}.
Chair, we have invested in {thing}.
Chair, earlier today we were misinformed about {thing}.
Chair, farmers would like to know about {thing}.
Can I thank the minister for attending?
In order to do that, businesses have to pay for {thing}.
We look forward to seeing you then.
As I have repeatedly said, {thing} is with the provinces.
Please note that this is the end.
So that would be origin in English.
That's something like seven hundred dollars for {thing}.
And then nine is the maximum that we can do.
We are only using a small set for training.
They have to plan {thing} and train their staff.
We could remove it, or normalise it.
It was about six percent.
We have backed {thing} with more money.
I call on the member.
I'll take that as a yes.
I'm going to explain what we did.
We were supposed to {task}.
"""
)

Line = tuple[str, str | None]
"""A sentence, and what it is: `actions`, `decisions`, `questions` or None."""


def made_up_meetings(count: int, seed: int = 1) -> Iterator[list[Line]]:
    """Meetings of 12 to 60 sentences; one in four is a lecture or a debate without results."""
    rng = random.Random(seed)
    for number in range(count):
        yield [_line(rng, idle=number % 4 == 0) for _ in range(rng.randint(12, 60))]


def _line(rng: random.Random, idle: bool) -> Line:
    luck = rng.random()
    if not idle and luck < 0.13:
        return _filled(rng, TASKED), "actions"
    if not idle and luck < 0.2:
        return _filled(rng, DECIDED), "decisions"
    if luck < 0.25:
        return _filled(rng, ASKED), "questions"
    return _filled(rng, IDLE_QUESTIONS if luck < 0.35 else IDLE), None


def _filled(rng: random.Random, templates: list[str]) -> str:
    """A template with its blanks filled, each with something else."""
    text = rng.choice(templates)
    blanks = (("{task}", TASKS), ("{thing}", THINGS), ("{name}", NAMES), ("{due}", DUES))
    for blank, choices in blanks:
        while blank in text:
            text = text.replace(blank, rng.choice(choices), 1)
    return text[0].upper() + text[1:]
