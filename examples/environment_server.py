"""An environment server that speaks OpenEnv's protocol, and a run in it: a number is to be guessed.

    python examples/environment_server.py                    serves, and runs 4 episodes in it
    parley run --world openenv:http://HOST:PORT,action=guess,text=said,menu=choices --planner random --out runs/guess

Needs the extra `openenv`. A real server is somebody else's program, on whatever machine.
"""

import json
import threading

from websockets.sync.server import ServerConnection, serve

import parley

CHOICES = [str(n) for n in range(1, 6)]


def guessing(socket: ServerConnection) -> None:
    """One session: the number is a function of the seed at reset."""
    number, left = 0, 0
    for text in socket:
        message = json.loads(text)
        data = message.get("data") or {}
        if message["type"] == "close":
            return
        if message["type"] == "reset":
            number, left = 1 + (data.get("seed") or 0) % len(CHOICES), 3
            told, paid, done = "I think of a number from 1 to 5.", None, False
        else:
            guess, left = int(data["guess"]), left - 1
            told = "Yes!" if guess == number else f"It is {'more' if number > guess else 'less'} than that."
            paid, done = float(guess == number), guess == number or left == 0
        observation = {"said": told, "choices": CHOICES, "task": "guess the number"}
        answer = {"observation": observation, "reward": paid, "done": done}
        socket.send(json.dumps({"type": "observation", "data": answer}))


def main(port: int = 0) -> None:
    """Serve, run, and stop."""
    with serve(guessing, "127.0.0.1", port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        world = f"openenv:{address},action=guess,text=said,menu=choices,variations=5,horizon=3,max_score=1"
        run = parley.run(world, "random", episodes=4, runs=5, seed=1)
        print(run.summary().scores)
        server.shutdown()


if __name__ == "__main__":
    main()
