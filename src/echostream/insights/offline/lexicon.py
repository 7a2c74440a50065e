"""Word lists for reading English speech, in lower case. None is complete or needs to be."""


def word_set(text: str) -> frozenset[str]:
    """The words of `text`, which are easier to read and to edit than a list of strings."""
    return frozenset(text.split())


FIRST_NAMES = word_set(
    """
    aaron abigail adam adrian ahmed alan albert alex alexander alexandra alice alicia amanda amber
    amy ana andrea andrew andy angela anita ann anna anne anthony antonio arthur ashley barbara ben
    benjamin bernard beth betty bob bobby bonnie brandon brenda brian bruce bryan carl carla
    carlos carol caroline carolyn catherine charles charlotte chen cheryl chris christian
    christina christine christopher cindy claire clara craig crystal cynthia dan daniel danielle
    david deborah debra dennis derek diana diane donald donna doris dorothy douglas dylan edward
    elena eleanor elizabeth ellen emily emma eric erica erik ethan eugene eva evelyn fatima felix
    fernando fiona frances francis francisco fred gabriel gary george gerald gloria greg
    gregory hannah harold harry heather helen henry howard ian irene isaac isabel isabella ivan
    jack jacob jacqueline jake james jamie jan jane janet janice jason javier jean jeff jeffrey
    jennifer jenny jeremy jerry jessica jill jim jimmy joan joe joel john johnny jon jonathan
    jordan jorge jose joseph joshua joyce juan juanita judith judy julia julian julie justin karen
    karl kate katherine kathleen kathryn kathy katie keith kelly ken kenneth kevin kim kimberly
    kumar kyle larry laura lauren laurie lee leo leon leonard lewis liam lily linda lisa logan
    louis louise lucas lucy luis luke lydia madison manuel marcus margaret maria marie marilyn
    mario marion martha martin marty marvin mary mateo matt matthew maurice max megan mei melanie
    melissa mia michael michelle miguel mike mohamed mohammed monica morgan nadia nancy naomi
    natalie natasha nathan neil nicholas nicole nina noah nora norman oliver olivia omar oscar
    pamela patricia patrick paul paula pedro peggy peter phil philip phillip phyllis priya rachel
    rafael raj ralph ramon raymond rebecca ricardo richard rick rita rob robert roberto robin
    roger ron ronald rosa rose roy ruby russell ruth ryan sally sam samantha samuel sandra sara
    sarah scott sean sergio sharon shawn sheila shirley simon sofia sonia sophia sophie stacy
    stanley stella stephanie stephen steve steven stuart susan suzanne sylvia tamara tanya ted
    teresa terry theodore theresa thomas tiffany tim timothy tina todd tom tommy tony tracy travis
    tyler valerie vanessa vera veronica vicki victor victoria vincent virginia vivian wanda warren
    wayne wendy wesley william xavier yasmin yolanda yusuf zachary zoe
    """
)
"""Common first names, except those that are also common words (bill, frank, will)."""

NOT_NAMES = word_set(
    """
    a an the this that these those it its there here who what which when where why how whose
    nobody none nothing something anything everything one both all some any many most much more
    and or but so then also okay ok well now not no yes if as because though although while since
    of to in on at by for with from about into over after before until than my our your their his
    her us me them him today tomorrow yesterday tonight monday tuesday wednesday thursday friday
    saturday sunday january february march april may june july august september october november
    december week month year day time morning afternoon evening work money budget team people
    please maybe probably just only really still even again already always never ever yeah right
    uh um hmm hello hi thanks everyone everybody else first second third next last finally otherwise
    meeting project release report design schedule
    """
)
"""Words that may stand before a verb, or start a sentence, and are not names."""

STATES = word_set(
    """
    be been have has had not never see know like love think want need happen mean seem hear
    remember depend feel hope wish believe understand agree say become cost probably always
    a an the this that
    """
)
"""Verbs that, after a modal, say how things are and not what somebody will do."""

STEERING = word_set(
    """
    get move start begin go look talk discuss see wait continue say take hear come turn hope
    face try be have know think imagine assume pause stop break
    """
)
"""Verbs that, after "let us", are about the meeting itself."""

TALK = word_set(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april may
    june july august september october november december today tomorrow yesterday tonight
    morning afternoon evening week weeks month months year years day days hour hours minute
    minutes time end start next last first second third lunch deadline thing things stuff lot bit
    people everyone everybody somebody someone person guys team teams meeting meetings question
    questions problem problems idea ideas point points news plan plans work way kind sort part
    okay yeah yes hello thanks thank welcome good great nice fine sure right well bad better best
    perfect important main ready complete finished finish late slow soon expensive percent number
    one two three four five six seven eight nine ten twenty thirty forty fifty sixty seventy
    eighty ninety hundred thousand million need needs needed want wants agreed agree decided
    decide discuss discussed talk talked talking review reviewed update updated prepare prepared
    send sent approve approved test schedule scheduled change changed fix fixed share shared write
    written check checked improve improved present cancel move moved explain sign signed read make
    made take taken give given look looked looking think thought know see get got put let say said
    tell told ask asked keep call called come going done happy worried love like loves likes
    increase increased cut hire hired spend spent left shows show found find item items
    action actions decision decisions please really gonna wanna uh um
    """
)
"""Words that organise a talk and are not its subject; they may be part of a topic's phrase."""
