"""Motion capture: skeletons and motions from ASF/AMC and BVH files, as joint angles and as positions.

    skeleton = asf.read("07-walk.asf")
    motion = amc.read("07_01.amc", skeleton)
    positions = forward_kinematics(skeleton, motion.values)  # [T J 3]
    prepared = prepare([motion], PUBLISHED)  # what GPDM is fitted to, [130 50]

`walking` generates a walk where there is no file.
"""

from imaginax.data.mocap.lines import MotionFileError
from imaginax.data.mocap.preprocessing import PUBLISHED, Prepared, PreprocessingConfig, prepare, restore
from imaginax.data.mocap.skeleton import Motion, Skeleton, forward_kinematics
from imaginax.data.mocap.walking import WalkConfig, humanoid, walk

__all__ = [
    "PUBLISHED",
    "Motion",
    "MotionFileError",
    "Prepared",
    "PreprocessingConfig",
    "Skeleton",
    "WalkConfig",
    "forward_kinematics",
    "humanoid",
    "prepare",
    "restore",
    "walk",
]
