"""How patiently gateways are kept: every default in one place.

Owns: the numbers and the delay that follows from them. Must not know settings files or clocks.
"""

from dataclasses import dataclass

from hermesd.domain.budget import DAY_S, Budget
from hermesd.domain.gateway import ALERT_AT, Gateway, Timer


@dataclass(frozen=True)
class Policy:
    """Times in seconds. Each number can be set in the settings file under `[gateway]`, by the same name."""

    start_limit_s: float = 180.0
    """How long a start may take until it is ended and counted as a failure."""
    stable_s: float = 60.0
    """How long a gateway must run until earlier failures are forgotten."""
    grace_extra_s: float = 30.0
    """Time to end after SIGTERM, beyond the profile's own drain time."""
    kill_retry_s: float = 5.0
    """How often SIGKILL is repeated while a process will not go."""
    stuck_s: float = 30.0
    """How long after the first SIGKILL a stop is reported as stuck."""
    backoff_first_s: float = 1.0
    """Delay before the first restart; it doubles with every further failure."""
    backoff_limit_s: float = 300.0
    """Where doubling ends."""
    backoff_rare_s: float = 900.0
    """Delay from the tenth failure on: a bot slows down and never goes silent."""
    backoff_port_s: float = 300.0
    """Delay while a stranger holds a port."""
    jitter: float = 0.2
    """Share by which a delay varies, so that gateways that fell together do not return together."""
    starts_per_hour: int = 20
    """Starts in a rolling hour, whoever asks; beyond it a gateway waits."""
    starts_per_day: int = 200
    """Starts in rolling 24 hours, likewise."""
    degraded_after_s: float = 20.0
    """How long an agent may be up in part until its start counts as done, degraded."""

    ready_notice_s: float = 20.0
    """How long an agent may be up without the notice that it is ready, until it counts all the same."""
    starts_at_once: int = 4
    """How many gateways may be starting at the same time; the others wait for their turn."""
    turn_s: float = 30.0
    """How long a gateway that is starting keeps others waiting at most."""
    look_s: float = 30.0
    """How often a running gateway's health is looked at; 1 or more."""
    hung_after_s: float = 120.0
    """How long an event loop that has given signs of life may give none: four missed beats of 30 s."""
    api_silent_after_s: float = 60.0
    """How long an HTTP API may not answer until its gateway counts as degraded."""
    unwell_after_s: float = 300.0
    """How long a platform may not be connected until its gateway counts as degraded."""
    unwell_restart_s: float = 900.0
    """How long a part that a restart may mend does not work until one is made; it doubles with each restart."""
    unwell_restart_limit_s: float = 21_600.0
    """Where that doubling ends."""
    well_s: float = 3600.0
    """How long a gateway must do without a restart for its health until earlier ones are forgotten."""
    restart_hung: bool = True
    """Whether a hung gateway is restarted; else it is only told."""
    restart_unwell: bool = True
    """Whether a gateway is restarted for a part that does not work; else it is only told."""

    @property
    def budget(self) -> Budget:
        """The start budget of each gateway."""
        return Budget(self.starts_per_hour, self.starts_per_day)


def delay_s(policy: Policy, gateway: Gateway, timer: Timer, *, drain_s: float, roll: float) -> float:
    """Seconds until `timer` is over; of BUDGET, which the start budget decides, at most that many.

    `drain_s` is the profile's own drain time; `roll`, uniform in [0, 1], places the jitter. A rare or port
    delay is only ever lengthened, so the promised number of starts an hour holds.
    """
    match timer:
        case Timer.START_LIMIT:
            return policy.start_limit_s
        case Timer.STABLE:
            return policy.stable_s
        case Timer.WELL:
            return policy.well_s
        case Timer.GRACE:
            return drain_s + policy.grace_extra_s
        case Timer.KILL_RETRY:
            return policy.kill_retry_s
        case Timer.PORT_BACKOFF:
            return max(policy.backoff_port_s, _backoff_s(policy, gateway.attempts)) * (1 + policy.jitter * roll)
        case Timer.BUDGET:
            return DAY_S
        case Timer.BACKOFF:  # pragma: no branch - there is no other timer
            base_s = _backoff_s(policy, gateway.attempts)
            if gateway.attempts >= ALERT_AT:
                return base_s * (1 + policy.jitter * roll)
            return base_s * (1 + policy.jitter * (2 * roll - 1))


def _backoff_s(policy: Policy, attempts: int) -> float:
    if attempts >= ALERT_AT:
        return policy.backoff_rare_s
    return min(policy.backoff_first_s * 2.0 ** max(attempts - 1, 0), policy.backoff_limit_s)
