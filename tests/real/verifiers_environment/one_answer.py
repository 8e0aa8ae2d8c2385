"""A set of tasks of verifiers without an environment of its own: one question, one answer. `tools` offers a tool."""

import verifiers.v1 as vf

__all__ = ["Sums"]


class SumData(vf.TaskData):
    answer: str


class SumTask(vf.Task[SumData, vf.State, vf.TaskConfig]):
    """One sum."""

    @vf.reward(weight=2.0)
    async def correct(self, trace) -> float:
        """Whether it is right."""
        return float(trace.last_reply == self.data.answer)


class SumsConfig(vf.TasksetConfig):
    tools: bool = False


class Sums(vf.Taskset[SumTask, SumsConfig]):
    """Three sums."""

    def load(self):
        for a in range(3):
            yield SumTask(SumData(prompt=f"What is {a} + 1?", answer=str(a + 1)), self.config.task)

    @classmethod
    def toolsets(cls, config):
        return [vf.Toolset(vf.ToolsetConfig())] if config.tools else []
