"""The Fetch arm of gymnasium-robotics at a table with three blocks and four mats (extra `mujoco`)."""

from pathlib import Path
from typing import Any

import gymnasium_robotics
import mujoco
import numpy as np
from gymnasium_robotics.envs.fetch.fetch_env import MujocoFetchEnv
from jaxtyping import Float

from parley.worlds.sorter.layout import BLOCK, HALF_MAT, MAT_AT, TABLE_HALF, TABLE_MIDDLE, TABLE_TOP

ASSETS = Path(gymnasium_robotics.__file__).parent / "envs" / "assets"
MASS = 2.0  # kilograms, as that of the blocks of gymnasium-robotics
SUBSTEPS = 20  # of 2 ms: 25 actions a second


class SorterFetch(MujocoFetchEnv):
    """The arm, its fingers closed by an action of -1 and opened by +1; blocks are free bodies."""

    initial_qpos: Any

    def __init__(self, friction: float) -> None:
        self._friction = friction
        super().__init__(
            model_path=str(ASSETS / "fetch" / "reach.xml"),
            has_object=False,
            block_gripper=False,
            n_substeps=SUBSTEPS,
            gripper_extra_height=0.2,
            target_in_the_air=True,
            target_offset=0.0,
            obj_range=0.15,
            target_range=0.15,
            distance_threshold=0.05,
            initial_qpos={"robot0:slide0": 0.4049, "robot0:slide1": 0.48, "robot0:slide2": 0.0},
            reward_type="sparse",
        )

    def _initialize_simulation(self) -> None:
        """As the parent, from our own scene."""
        self.model = mujoco.MjModel.from_xml_string(scene(self._friction))
        self.data = mujoco.MjData(self.model)
        self._model_names = self._utils.MujocoModelNames(self.model)
        self._env_setup(initial_qpos=self.initial_qpos)
        self.initial_time = self.data.time
        self.initial_qpos, self.initial_qvel = np.copy(self.data.qpos), np.copy(self.data.qvel)
        self.bodies = [self.model.body(f"block{i}").id for i in range(3)]
        joints = [self.model.joint(f"block{i}") for i in range(3)]
        self._places = [int(joint.qposadr[0]) for joint in joints]
        self._speeds = [int(joint.dofadr[0]) for joint in joints]
        robot = [name for name in self._model_names.joint_names if name.startswith("robot")]
        fingers = [self.model.joint(name) for name in robot[-2:]]
        self._finger_places = [int(joint.qposadr[0]) for joint in fingers]
        self._finger_speeds = [int(joint.dofadr[0]) for joint in fingers]

    def begin(self, at: Float[np.ndarray, "3 2"], turned: Float[np.ndarray, " 3"]) -> None:
        """The arm in its first posture, the blocks at rest at `at` (metres), turned by some angles (radians)."""
        self._reset_sim()
        for place, xy, angle in zip(self._places, at, turned, strict=True):
            pose = [*xy, TABLE_TOP + BLOCK, np.cos(angle / 2), 0, 0, np.sin(angle / 2)]
            self.data.qpos[place : place + 7] = pose
        mujoco.mj_forward(self.model, self.data)

    def arm(self) -> Float[np.ndarray, " 10"]:
        """What FetchReach observes: the grip's place, both fingers, and the speeds of grip and fingers a step."""
        grip, seconds = "robot0:grip", self.n_substeps * self.model.opt.timestep
        return np.concatenate(  # without the parent's look at all 15 joints; these are two of them
            (
                self._utils.get_site_xpos(self.model, self.data, grip),
                self.data.qpos[self._finger_places],
                self._utils.get_site_xvelp(self.model, self.data, grip) * seconds,
                self.data.qvel[self._finger_speeds] * seconds,
            )
        )

    def blocks(self) -> Float[np.ndarray, "3 6"]:
        """Places and speeds of the blocks' middles."""
        places = [self.data.qpos[p : p + 3] for p in self._places]
        return np.hstack([np.array(places), np.array([self.data.qvel[s : s + 3] for s in self._speeds])])

    def command(self, action: np.ndarray) -> None:
        """Set the goal of the next `SUBSTEPS` steps of physics."""
        self._set_action(np.clip(action, -1, 1))

    def tick(self) -> None:
        """2 ms of physics."""
        mujoco.mj_step(self.model, self.data)


def scene(friction: float) -> str:
    """The MuJoCo model; mats are drawn on the table."""
    fetch = ASSETS / "fetch"
    (x, y), (half_x, half_y) = TABLE_MIDDLE, TABLE_HALF
    grip = f'friction="{friction} 0.005 0.0001"'
    mats = "".join(
        f'<site name="mat{i}" type="box" pos="{mx} {my} {TABLE_TOP}" size="{HALF_MAT} {HALF_MAT} 0.0005"/>'
        for i, (mx, my) in enumerate(MAT_AT)
    )
    blocks = "".join(
        f'<body name="block{i}" pos="{1.2 + 0.1 * i} 0.75 {TABLE_TOP + BLOCK}">'
        f'<joint name="block{i}" type="free" damping="0.01"/>'
        f'<geom type="box" size="{BLOCK} {BLOCK} {BLOCK}" mass="{MASS}" condim="4" {grip}/></body>'
        for i in range(3)
    )
    return f"""<mujoco>
  <compiler angle="radian" meshdir="{ASSETS / "stls" / "fetch"}" texturedir="{ASSETS / "textures"}"/>
  <option timestep="0.002"/>
  <include file="{fetch / "shared.xml"}"/>
  <worldbody>
    <geom name="floor0" pos="0.8 0.75 0" size="0.85 0.7 1" type="plane" condim="3" material="floor_mat"/>
    <body name="floor0" pos="0.8 0.75 0"><site name="target0" pos="0 0 0.5" size="0.02" type="sphere"/></body>
    <include file="{fetch / "robot.xml"}"/>
    <body pos="{x} {y} {TABLE_TOP / 2}" name="table0">
      <geom size="{half_x} {half_y} {TABLE_TOP / 2}" type="box" mass="2000" material="table_mat" {grip}/>
    </body>
    {mats}{blocks}
  </worldbody>
  <actuator>
    <position ctrllimited="true" ctrlrange="0 0.2" joint="robot0:l_gripper_finger_joint" kp="30000" user="1"/>
    <position ctrllimited="true" ctrlrange="0 0.2" joint="robot0:r_gripper_finger_joint" kp="30000" user="1"/>
  </actuator>
</mujoco>"""
