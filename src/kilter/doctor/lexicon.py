"""What each symptom is, how it is measured, where the rule comes from and what helps: for the terminal and for the docs."""

from kilter.core.errors import InputError
from kilter.core.paths import nearest
from kilter.doctor import rules
from kilter.doctor.rule import Rule

_NEEDS = {
    "recipe": "the recipe, before anything runs",
    "rows": "the rows, before anything runs",
    "start": "the untrained network on one batch",
    "steps": "the first 50 updates",
    "drill": "200 updates on one batch, of a training that is not well",
    "course": "the training",
    "reference": "the training beside one that is known to work",
}


def entry(name: str) -> str:
    """Everything on a symptom, a rule or a cause; several rules may go by it.

    Raises:
        InputError: there is none of that name.
    """
    wanted = name.lower().replace("-", "_").replace(" ", "_")
    found = [rule for rule in rules.ALL if wanted in _names(rule)]
    if not found:
        known = {each for rule in rules.ALL for each in _names(rule)}
        raise InputError(f"there is no symptom {name!r}{nearest(wanted, sorted(known))}; kilter explain lists them")
    return "\n\n".join(map(_text, found))


def _names(rule: Rule) -> tuple[str, ...]:
    return rule.symptom.name.lower(), rule.name, str(rule.cause)


def _text(rule: Rule) -> str:
    thresholds = ", ".join(f"{name} {value:g}" for name, value in rule.thresholds.items())
    lines = [
        f"{rule.symptom.name.lower()}: {rule.symptom}.",
        "",
        rule.explanation,
        "",
        f"Looks at:    {_NEEDS[rule.needs]}",
        f"Thresholds:  {thresholds or 'none'}",
        f"Cause:       {rule.cause}",
        f"Remedies:    {', '.join(rule.remedies) or 'mend the rows'}",
        f"Source:      {rule.source}",
        f"Counts:      {_counts(rule)}",
    ]
    return "\n".join(lines)


def _counts(rule: Rule) -> str:
    return "always" if rule.certain else "where the score is worse than it should be"


def listed() -> str:
    """All symptoms, a line each."""
    width = max(len(rule.symptom.name) for rule in rules.ALL)
    return "\n".join(f"{rule.symptom.name.lower():{width}}  {rule.symptom}" for rule in _once())


def _once() -> list[Rule]:
    return list({rule.symptom: rule for rule in reversed(rules.ALL)}.values())[::-1]


def page() -> str:
    """The page *Symptoms* of the documentation."""
    head = [
        "# Symptoms",
        "",
        "Made by `kilter explain --markdown` from the rules. What is seen counts as a finding where the training is worse",
        "than one that is known to work, or, for rules that say *always*, whatever the score. The order is that in which",
        "causes are named: what is most certain and nearest to the root comes first.",
        "",
    ]
    return "\n".join([*head, *(line for rule in rules.ALL for line in _section(rule))])


def _section(rule: Rule) -> list[str]:
    thresholds = ", ".join(f"`{name}={value:g}`" for name, value in rule.thresholds.items()) or "none"
    remedies = ", ".join(f"`{name}`" for name in rule.remedies) or "mend the rows"
    return [
        f"## {rule.symptom.name.lower()}: {rule.symptom}",
        "",
        rule.explanation,
        "",
        f"- rule `{rule.name}`, looks at {_NEEDS[rule.needs]}; counts {_counts(rule)}",
        f"- cause `{rule.cause}`; thresholds {thresholds}",
        f"- remedies {remedies}",
        f"- source: {rule.source}",
        "",
    ]
