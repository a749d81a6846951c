"""What comes out of a fleet: the run of a member that has ended."""

from typing import TYPE_CHECKING

from kilter.train.outcome import Outcome
from kilter.train.run import Run

if TYPE_CHECKING:
    from kilter.train.fleet import Fleet


def run_of(fleet: "Fleet", index: int, lasted: int, all_lasted: int, ended: Outcome) -> Run:
    """The run of a member that lasted so many epochs of those of all members; of one still going on, how that ended."""
    member = fleet.member(index)
    recipe, seed = fleet.task.members[index]
    history = {name: column[index, :lasted].copy() for name, column in fleet.history.items()}
    paused = ended is Outcome.FINISHED and fleet.task.pauses(index, member.outcome)
    outcome = Outcome.PAUSED if paused else Outcome.of(int(member.outcome), ended)
    seconds = fleet.seconds | {"member": fleet.seconds["train"] * lasted / max(1, all_lasted)}
    told = {id(part): fleet.told[index][name] for name, part in fleet.data.parts.items()}
    return Run.of(
        recipe, seed, fleet.data, fleet.scaling, member, history, outcome, seconds, lambda part: told[id(part)],
        fleet.watcher.trace(index),
    )  # fmt: skip
