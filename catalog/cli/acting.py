"""What 'imgcat dupes' does with the groups, where it is told to do something."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from catalog.actions.perform import perform
from catalog.actions.plan import plan
from catalog.cli.confirming import confirm
from catalog.errors import ExitCode
from catalog.indexing.afterwards import look_again
from catalog.model import ActionPlan, Deed, Duplicates, Order, Receipt
from catalog.rendering import doing, done, human, look, structured
from catalog.rendering.bar import TerminalProgress
from catalog.store.decisions import open_decisions
from catalog.workers.cores import cores


@dataclass(frozen=True, slots=True)
class Acting:
    """What a person wants done, and how it is to be told."""

    order: Order
    apply: bool
    yes: bool
    as_json: bool
    quiet: bool


def planned_of(answer: Duplicates, acting: Acting) -> ActionPlan:
    """What the order comes to for these groups, which are read here."""
    with TerminalProgress(quiet=acting.quiet) as progress:
        return plan(answer.groups, acting.order, offline=answer.offline, progress=progress)


def carry_out(catalog: bytes, planned: ActionPlan, acting: Acting) -> ExitCode:
    """Show the plan, or do it where that is wanted and confirmed."""
    if not acting.apply:
        _show(planned, acting)
        return ExitCode.DONE
    if not planned.copies:
        _tell(Receipt(acting.order.deed, None), planned, acting)
        return ExitCode.REFUSED if planned.refused else ExitCode.DONE
    _ask(planned, acting)
    with open_decisions(catalog) as decisions, TerminalProgress(quiet=acting.quiet) as progress:
        receipt = perform(planned, decisions, jobs=cores(), progress=progress)
        note = look_again(catalog, receipt.touched, cores(), progress, went=receipt.went)
    _tell(receipt, planned, acting)
    if note and not acting.quiet:
        print(f"imgcat: {note}", file=sys.stderr)
    code = exit_code(receipt)
    return ExitCode.REFUSED if code is ExitCode.DONE and planned.refused else code


def exit_code(receipt: Receipt) -> ExitCode:
    """Of an action, or of undoing one."""
    if receipt.interrupted:
        return ExitCode.INTERRUPTED
    if receipt.stopped:
        return ExitCode.FAILED
    return ExitCode.REFUSED if receipt.refused else ExitCode.DONE


def _show(planned: ActionPlan, acting: Acting) -> None:
    if acting.as_json:
        done.write_plan(planned, look.for_programs(sys.stdout))
        return
    stream = look.for_people(sys.stdout)
    doing.write_plan(planned, stream)
    doing.write_sums(planned, stream)
    if planned.copies and not acting.quiet:
        stream.write("Nothing was changed: the same with --apply does it.\n")


def _ask(planned: ActionPlan, acting: Acting) -> None:
    deed = acting.order.deed
    if not acting.yes and sys.stdin.isatty() and not acting.as_json:
        stream = look.for_people(sys.stdout)
        doing.write_plan(planned, stream)
        doing.write_sums(planned, stream)
    photos = human.counted(planned.copies, "photo")
    confirm(f"{photos} to {doing.wish(planned)}: do it?", yes=acting.yes)
    if deed is Deed.DELETE:
        confirm(f"They will be in no trash. Really delete {photos} for good?", yes=acting.yes)


def _tell(receipt: Receipt, planned: ActionPlan, acting: Acting) -> None:
    if acting.as_json:
        structured.write_json(done.receipt(receipt, planned), look.for_programs(sys.stdout))
    elif not planned.copies:
        doing.write_plan(planned, look.for_people(sys.stdout))
        doing.write_sums(planned, look.for_people(sys.stdout))
    elif not acting.quiet or receipt.refused or receipt.stopped:
        doing.write_receipt(receipt, look.for_people(sys.stdout))
        if acting.yes and planned.refused:  # the plan was not shown
            doing.write_left(planned, look.for_people(sys.stdout))
