"""One switch without a loop: bring the gateway to what should be now. What `once` does, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from scheduler.control.agenda import Agenda
from scheduler.control.ports import Clock, Gateway, Marks, Tell
from scheduler.control.session import Session
from scheduler.control.switch import Came, Order, Procedure, never_tried, verdict_of
from scheduler.control.trust import Trust
from scheduler.model.errors import GatewayError, Refused
from scheduler.model.evidence import SwitchRecord
from scheduler.model.reading import Live


async def once(agenda: Agenda, gateway: Gateway, *, clock: Clock, marks: Marks, tell: Tell) -> Came:
    """Switch to what the agenda says for now; raises nothing of `model/errors.py`, the record tells.

    Where the clock is not trusted, what should be now is not known: the record says refused.
    """
    session = Session(gateway, clock, marks, tell)
    doubt = await _doubt(agenda, gateway, session, Trust(clock, tell))
    now = clock.now()
    live: Live | None = None
    failure: GatewayError | None = doubt
    if doubt is None and agenda.coarse.at(now).conditional:
        try:
            live = await session.observe(gateway.live)
        except GatewayError as error:
            failure = error
    procedure = Procedure(
        _order(agenda, now, live), gateway=gateway, session=session, clock=clock, marks=marks, last=True
    )
    if failure is not None:  # which rule speaks is not known, so nothing is written
        return await procedure.end(verdict_of(failure), failure)
    return await procedure.run()


async def _doubt(agenda: Agenda, gateway: Gateway, session: Session, trust: Trust) -> Refused | None:
    """Why the clock is not to be trusted, after it was compared with the gateway's own where only that can tell."""
    trust.look(agenda.policy.trust_after_s)
    if not trust.belief.trusted:
        with suppress(GatewayError):  # then there is nothing to compare it with
            await session.identify()
            trust.compare(gateway.clock_ahead_s)
        trust.look(agenda.policy.trust_after_s)
    belief = trust.belief
    return None if belief.trusted else Refused(belief.why, remedy=belief.remedy)


def refused(agenda: Agenda, now: datetime, error: Refused) -> SwitchRecord:
    """The evidence where the gateway may not even be asked."""
    return never_tried(_order(agenda, now, None), error, at=now)


def _order(agenda: Agenda, now: datetime, live: Live | None) -> Order:
    segment = agenda.coarse.at(now)
    spoken = segment.spoken(live)
    return Order(
        desired=spoken.setpoint,
        boundary=agenda.boundary(now) or now,
        until=segment.end,
        rules=tuple(claim.name for claim, _ in spoken.claims),
    )
