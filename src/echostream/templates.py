"""The templates that come with EchoStream, by name."""

from typing import Final

from echostream.domain import Template, TemplateSection

GENERAL: Final = Template("general", "General")
"""Only what is looked for in every recording."""


def _section(key: str, title: str, instructions: str) -> TemplateSection:
    return TemplateSection(key, title, instructions)


_TEMPLATES = (
    GENERAL,
    Template(
        "meeting",
        "Meeting",
        "A meeting of several people.",
        (
            _section("agenda", "Agenda", "The subjects that were discussed, in order."),
            _section("arguments", "Arguments", "Reasons given for or against a proposal."),
            _section("risks", "Risks and obstacles", "What may go wrong or holds work up."),
            _section("open_points", "Open points", "What was left undecided or put off."),
        ),
    ),
    Template(
        "one-to-one",
        "One-to-one",
        "A talk between two people who work together, often a manager and a report.",
        (
            _section("wins", "Achievements", "What went well or was finished."),
            _section("difficulties", "Difficulties", "What is hard, blocked or a worry."),
            _section("feedback", "Feedback", "Praise and criticism, with who gave it to whom."),
            _section("growth", "Growth", "Aims, skills to learn, wishes for the future."),
        ),
    ),
    Template(
        "interview",
        "Interview",
        "An interview, of an applicant, an expert or a user.",
        (
            _section("background", "Background", "Who the interviewed person is and did before."),
            _section("answers", "Questions and answers", "Each question with its answer in short."),
            _section("quotes", "Quotes", "Striking statements, word for word."),
            _section("concerns", "Open or doubtful", "What stayed unanswered or contradicts."),
        ),
    ),
    Template(
        "lecture",
        "Lecture",
        "A lecture or a lesson.",
        (
            _section("outline", "Outline", "The parts of the lecture, in order."),
            _section("terms", "Terms", "Each term that is defined, with its definition."),
            _section("examples", "Examples", "Examples and what each of them shows."),
            _section("assignments", "Assignments", "Reading, homework and dates of tests."),
        ),
    ),
    Template(
        "sales-call",
        "Sales call",
        "A call between a seller and a customer.",
        (
            _section("needs", "Needs", "What the customer wants to achieve or is troubled by."),
            _section("objections", "Objections", "Doubts of the customer, and the reply to each."),
            _section(
                "terms", "Money and time", "Budget, prices, discounts, who decides, and when."
            ),
            _section("competitors", "Competitors", "Other products and suppliers that were named."),
        ),
    ),
    Template(
        "stand-up",
        "Stand-up",
        "A short daily meeting of a team. Say of each item whose it is, if that was said.",
        (
            _section("done", "Done", "What was finished since the last time."),
            _section("planned", "Planned", "What is to be worked on next."),
            _section("blocked", "Blocked", "What holds somebody up, and who can help."),
        ),
    ),
    Template(
        "medical-visit",
        "Medical visit",
        "A patient sees a clinician. Report only what was said; add no diagnosis and no advice.",
        (
            _section("complaints", "Complaints", "What the patient reports: what, since when."),
            _section("history", "History", "Earlier illnesses, medicines, allergies, family."),
            _section("findings", "Findings", "What was examined or measured, with the results."),
            _section("assessment", "Assessment", "What the clinician takes it to be."),
            _section("plan", "Plan", "Medicines with doses, tests, referrals, the next visit."),
        ),
    ),
    Template(
        "podcast",
        "Podcast",
        "A podcast or a radio programme.",
        (
            _section("guests", "People", "Hosts and guests, with what is said about them."),
            _section("chapters", "Chapters", "The subjects, in order."),
            _section("quotes", "Quotes", "Statements worth quoting, word for word."),
            _section("mentions", "Mentioned", "Books, films, places and links that were named."),
        ),
    ),
)

BUILT_IN: Final = {template.name: template for template in _TEMPLATES}
