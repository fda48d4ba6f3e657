"""Settings that models of observations share."""

from __future__ import annotations

from typing import Literal

RewardSource = Literal["auto", "published", "learned"]
EndSource = Literal["auto", "published", "learned", "never"]
