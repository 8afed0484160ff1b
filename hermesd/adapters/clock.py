"""The system's clocks. Owns which one serves for what; must not know who asks."""

import asyncio
import time


class SystemClock:
    """Real time (port `Clock`)."""

    def now_s(self) -> float:
        """Seconds since the epoch; may jump."""
        return time.time()

    def monotonic_s(self) -> float:
        """Seconds since some moment; never jumps, and stands still while the machine sleeps."""
        return time.monotonic()

    async def sleep_s(self, seconds: float) -> None:
        """Returns after `seconds` of monotonic time, at once if they are not positive."""
        await asyncio.sleep(max(seconds, 0.0))
