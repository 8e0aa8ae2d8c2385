"""An environment of verifiers, for `test_open_worlds.py`: guess a number from what is said of the last guess."""

import verifiers.v1 as vf

__all__ = ["GuessEnv", "Numbers"]


class NumberData(vf.TaskData):
    number: int


class NumberTask(vf.Task[NumberData, vf.State, vf.TaskConfig]):
    """One number."""


class NumbersConfig(vf.TasksetConfig):
    last: int = 0  # tasks, 0: without end


class Numbers(vf.Taskset[NumberTask, NumbersConfig]):
    """The numbers 0 to 6 in turn."""

    INFINITE = True

    def load(self):
        index = 0
        while not self.config.last or index < self.config.last:
            about = {"prompt": "Which number is it?", "system_prompt": "Find the number."}
            yield NumberTask(NumberData(number=index % 7, **about), self.config.task)
            index += 1

    @property
    def bounded(self):
        return self.config.last > 0


class GuessEnvConfig(vf.EnvConfig):
    """One seat."""

    player: vf.AgentConfig = vf.AgentConfig()


class GuessEnv(vf.Env[GuessEnvConfig]):
    """Says whether it is more or less; `raise` and `picture` are for tests of faults."""

    async def run(self, task, agents):
        right = False
        print("a line that is no message")
        async with agents.player.interaction(task) as interaction:
            segment = await interaction.turn()
            while not segment.terminated and not right:
                said = segment.last_reply
                right = said == str(task.data.number)
                if said == "raise":
                    raise RuntimeError("the board broke")
                if said == "picture":
                    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
                    segment = await interaction.turn([{"role": "user", "content": [shown]}])
                elif not right:
                    segment = await interaction.turn("More." if said < str(task.data.number) else "Less.")
        interaction.trace.record_reward("found", float(right), 1.0)
