# SPDX-License-Identifier: GPL-2.0
"""The plugin that judges the others: with phones that are none, see fake_phone.py."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import paths, schedule
from harness.modem import does_harm

E2E = Path(__file__).resolve().parents[1]
HEAD = "import pytest\nfrom harness.errors import BrokenError, check\n"

Run = Callable[..., dict[str, dict]]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the tests in a text, notes the phones, and returns the results by name."""
    results = pytester.path / "build/e2e"
    monkeypatch.setattr(paths, "RESULTS", results)
    monkeypatch.setenv("BAM_DMUX_CACHE", str(pytester.path))
    monkeypatch.setenv("PYTHONPATH", f"{E2E}:{E2E / 'selftest'}")
    monkeypatch.delenv("DRIVER", raising=False)
    monkeypatch.delenv("KERNEL", raising=False)
    for path in (E2E, E2E / "selftest"):
        monkeypatch.syspath_prepend(path)

    def run(text: str, *arguments: str) -> dict[str, dict]:
        pytester.makepyfile(test_inner=HEAD + text)
        plugins = ("-p", "harness.plugin", "-p", "fake_phone", "--strict-markers")
        # Workers take over the import path that the process began with.
        workers = "-n2" in arguments
        start = pytester.runpytest_subprocess if workers else pytester.runpytest_inprocess
        done = start(*plugins, *(arguments or ("-n0",)))
        directory = max(results.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        told = json.loads((directory / "results.json").read_text())["results"]
        found = {result["name"].split("[")[0]: result for result in told}
        run.phones = (directory / "phones").read_text().split()
        run.ktap = (directory / "results.ktap").read_text()
        run.status = done.ret
        run.outcomes = done.parseoutcomes()
        return found

    return run


def test_good_and_bad(run: Run) -> None:
    """A test passes or fails, and the run with it; the line says what it proves."""
    found = run("""
def test_good(ctx):
    '''Good is good.'''

def test_bad(ctx):
    '''Bad is
    bad.

    Not this.
    '''
    check(False, "it is bad")
""")
    assert found["good"]["outcome"] == "passed"
    assert (found["bad"]["outcome"], found["bad"]["failure"]) == ("failed", "it is bad")
    assert found["bad"]["proves"] == "Bad is bad"
    assert run.status == pytest.ExitCode.TESTS_FAILED
    assert "not ok" in run.ktap
    assert "# Good is good (" in run.ktap
    # A phone that a failure has left is not used again.
    assert run.phones in (["base"], ["base", "base"])
    assert run.outcomes["failed"] == 1


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        ("check(False, 'the link is stuck')", "expected", "the link is stuck"),
        ("check(False, 'no link')", "failed", "fails, but not as review G does"),
        ("pass", "failed", "passes, though review G says that it fails"),
        ("raise BrokenError('the link is stuck')", "expected", "the link is stuck"),
    ],
)
def test_expected_failures_are_strict(run: Run, body: str, outcome: str, words: str) -> None:
    """A finding's test fails in the finding's words, or the run is red."""
    found = run(f"""
@pytest.mark.finding("review G", words="link is (stuck|dead)$")
def test_known(ctx):
    '''Known.'''
    {body}
""")
    assert found["known"]["outcome"] == outcome
    assert words in found["known"]["failure"]
    assert (run.status == pytest.ExitCode.OK) == (outcome == "expected")
    assert run.outcomes["xfailed" if outcome == "expected" else "failed"] == 1


def test_defects_are_mainlines(run: Run) -> None:
    """A defect of mainline's driver is expected of that one only, on the kernel that shows it."""
    text = """
@pytest.mark.debug
@pytest.mark.defect(1, 5, symptom="stuck", kernel="debug")
def test_known(ctx):
    '''Known.'''
    check(False, "it is stuck")

@pytest.mark.ours
def test_ours(ctx):
    '''Ours.'''
"""
    found = run(text, "-n0", "--driver", "mainline")
    assert list(found) == ["known", "no_leak", "lockdep", "quiet"] or list(found) == ["known"]
    assert found["known"]["outcome"] == "expected"
    assert found["known"]["defects"] == [1, 5]
    assert found["known"]["kernel"] == "debug"
    assert run(text)["known"]["outcome"] == "failed"


@pytest.mark.parametrize(("count", "outcome"), [(0, "passed"), (3, "passed"), (4, "failed")])
def test_allowances_are_counted(run: Run, count: int, outcome: str) -> None:
    """A counter of faults may count what is allowed, and no more."""
    found = run(f"""
@pytest.mark.allow("bad_pad", max=3, why="a test")
@pytest.mark.allow("double_open", max=lambda counters: counters["power_ups"], why="a test")
def test_counts(ctx):
    '''Counts.'''
    ctx.modem.values.update(bad_pad={count}, power_ups=1, double_open=1)
""")
    assert found["counts"]["outcome"] == outcome
    if outcome == "failed":
        assert "'bad_pad': '4, 3 allowed'" in found["counts"]["failure"]


def test_allowances_need_reasons(run: Run, pytester: pytest.Pytester) -> None:
    """An allowance without a number or a reason is a mistake of the one who wrote it."""
    for arguments in ("max=3", "why='because'", ""):
        pytester.makepyfile(f"""
import pytest
@pytest.mark.allow("bad_pad", {arguments})
def test_counts(ctx):
    '''Counts.'''
""")
        done = pytester.runpytest_inprocess("-p", "harness.plugin", "-p", "fake_phone", "-n0")
        assert done.ret == pytest.ExitCode.USAGE_ERROR


def test_profiles(run: Run, pytester: pytest.Pytester) -> None:
    """A test has the profile that its marker says, else that of phones; another is a mistake."""
    found = run("""
def test_usual(ctx):
    '''Usual.'''
    check(ctx.profile.name == "msm8916", f"{ctx.profile}")
    check(ctx.profile.figures["freeze_every_us"] is None, f"{ctx.profile}")

@pytest.mark.profile("instant", fall_us=5)
def test_instant(ctx):
    '''Instant.'''
    check(ctx.profile.name == "instant", f"{ctx.profile}")
    check(ctx.profile.figures["fall_us"] == 5, f"{ctx.profile}")
""")
    assert [found[name]["outcome"] for name in ("usual", "instant")] == ["passed", "passed"]
    pytester.makepyfile("""
import pytest
@pytest.mark.profile("msm8917")
def test_misspelt(ctx):
    '''Misspelt.'''
""")
    done = pytester.runpytest_inprocess("-p", "harness.plugin", "-p", "fake_phone", "-n0")
    assert done.ret == pytest.ExitCode.USAGE_ERROR


def test_judges_count(run: Run) -> None:
    """What a judge finds after a test is that test's failure: one, with the test's own."""
    found = run("""
def test_faulty(ctx):
    '''Faulty.'''
    ctx.modem.values["bad_pad"] = 1

def test_worse(ctx):
    '''Worse.'''
    ctx.modem.values["bad_pad"] = 1
    check(False, "it is bad")

def test_noisy(ctx):
    '''Noisy.'''
    ctx.phone.said = "BUG: here"
""")
    assert found["faulty"]["failure"] == "the modem saw what must not happen: {'bad_pad': '1'}"
    assert found["worse"]["failure"].splitlines()[0] == "it is bad"
    assert "'bad_pad'" in found["worse"]["failure"]
    assert "BUG: here" in found["noisy"]["failure"]
    assert run.outcomes == {"failed": 3}


def test_a_judge_can_meet_an_expectation(run: Run) -> None:
    """A finding may show in what the judges say."""
    found = run("""
@pytest.mark.finding("review G", words="'bad_pad'")
def test_known(ctx):
    '''Known.'''
    ctx.modem.values["bad_pad"] = 1
""")
    assert found["known"]["outcome"] == "expected"


def test_setup_counts(run: Run) -> None:
    """A setup that fails is a failure with a verdict, and the judges look all the same."""
    found = run("""
@pytest.fixture
def stuck(ctx):
    ctx.modem.values["bad_pad"] = 1
    check(False, "cannot begin")

def test_begins(stuck):
    '''Begins.'''
""")
    assert found["begins"]["outcome"] == "failed"
    assert "cannot begin" in found["begins"]["failure"]
    assert "'bad_pad'" in found["begins"]["failure"]
    assert run.outcomes == {"failed": 1}


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_looks_are_not_lost(run: Run, workers: str) -> None:
    """What a phone shows at its end is a result of its own, in whatever process it was seen."""
    found = run(
        """
@pytest.mark.debug
def test_leaks(ctx):
    '''Leaks.'''
    ctx.phone.leaks = "unreferenced object"
""",
        workers,
    )
    assert found["leaks"]["outcome"] == "passed"
    assert found["no_leak"]["outcome"] == "failed"
    assert "after leaks[debug]" in found["no_leak"]["failure"]
    assert "unreferenced object" in found["no_leak"]["failure"]
    assert run.status == pytest.ExitCode.TESTS_FAILED
    assert run.outcomes["failed"] == 1


def test_phones_are_reused(run: Run) -> None:
    """Tests of one kind share a phone, and a bad state of it ends with the test that made it."""
    run("""
@pytest.mark.boot("swiotlb=force")
def test_special(ctx):
    '''Special.'''

@pytest.mark.parametrize("number", range(4))
def test_usual(ctx, number):
    '''Usual.'''

def test_zzz(ctx):
    '''Breaks it, and nobody sees that before the next one begins.'''
""")
    assert sorted(run.phones) == ["base", "base,swiotlb=force"]


def test_a_broken_phone_is_not_asked(run: Run) -> None:
    """A phone that died fails its test in one way, and the next test has another."""
    found = run("""
def test_dies(ctx):
    '''Dies.'''
    ctx.phone.dead = True
    ctx.phone.alive()

def test_next(ctx):
    '''Next.'''
""")
    assert found["dies"]["failure"] == "the phone is dead"
    assert found["next"]["outcome"] == "passed"


def test_skips(run: Run) -> None:
    """A kernel of the user's choice may lack something; the one that the plugin chose may not."""
    text = """
@pytest.mark.needs("/missing")
def test_needs(ctx):
    '''Needs.'''
"""
    found = run(text, "-n0", "--kernel", "base")
    assert (found["needs"]["outcome"], run.status) == ("skipped", pytest.ExitCode.OK)
    assert "does it lack the marker 'debug'" in run(text)["needs"]["failure"]


def test_full_is_more_than_auto(run: Run) -> None:
    """`--kernel full` runs what auto does, what auto leaves out, and all on the debug kernel."""
    text = """
@pytest.mark.full
@pytest.mark.debug
def test_rare(ctx):
    '''Rare.'''

@pytest.mark.debug
def test_one(ctx):
    '''One.'''

def test_other(ctx):
    '''Other.'''
"""
    run(text, "-n0", "--kernel", "full")
    names = [line.split()[2] for line in run.ktap.splitlines() if line.startswith("ok ")]
    tests = [name for name in names if "phone" not in name]
    assert sorted(tests) == ["one[debug]", "other[base]", "other[debug]", "rare[debug]"]
    assert "rare" not in run(text, "-n0")


def test_stops_at_first(run: Run) -> None:
    """-x stops, also with workers."""
    text = "\n".join(
        f"def test_{number}(ctx):\n    '''No.'''\n    check(False, 'no')" for number in range(6)
    )
    assert len(run(text, "-n0", "-x")) == 1
    assert len(run(text, "-n2", "-x")) < 6


def test_runs_do_not_collide(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of the same second have different directories, and neither removes the other's."""
    from harness import results  # noqa: PLC0415 - with the path of this test

    monkeypatch.setattr(paths, "RESULTS", pytester.path / "results")
    runs = [results.new("test") for _ in range(results.KEEP_RUNS + 4)]
    assert len({directory for directory, _ in runs}) == len(runs)
    assert all(directory.is_dir() for directory, _ in runs)
    for _, lock in runs:
        lock.close()
    results.new("test")[1].close()
    assert sum(directory.is_dir() for directory, _ in runs) == results.KEEP_RUNS


def test_few_boots(run: Run) -> None:
    """Each worker stays with the kind of phone that it has, as long as there is work for it."""
    text = """
@pytest.mark.parametrize("number", range(8))
def test_usual(ctx, number):
    '''Usual.'''

@pytest.mark.debug
@pytest.mark.parametrize("number", range(4))
def test_careful(ctx, number):
    '''Careful.'''
"""
    run(text, "-n2")
    assert run.outcomes["passed"] >= 12
    # One of each, and one more of the kind with more work when the other is done.
    assert sorted(run.phones) in (["base", "base", "debug"], ["base", "debug"])


def test_long_ones_first() -> None:
    """The order is by kind of phone, those with the most work first, then by duration."""
    durations = {"a[base]": 1.0, "b[base]": 30.0, "c[debug]": 25.0, "d[debug]": 9.0, "f[base]": 0.1}
    found = schedule.in_order([*durations, "e[debug]", "plain"], durations)
    assert found == ["c[debug]", "e[debug]", "d[debug]", "b[base]", "a[base]", "f[base]", "plain"]


def test_phones_that_do_not_boot(run: Run, pytester: pytest.Pytester) -> None:
    """After two phones of a kind that did not boot no third one is tried."""
    pytester.makeconftest("""
from harness import pool
from harness.errors import BrokenError
def pytest_sessionstart():
    def boot(run, kind, name):
        with (run.results / "phones").open("a") as file:
            file.write(f"{kind}\\n")
        raise BrokenError("no boot")
    pool.boot = boot
""")
    text = "\n".join(f"def test_{number}(ctx):\n    '''No.'''" for number in range(5))
    found = run(text)
    assert [result["outcome"] for result in found.values()] == ["failed"] * 5
    assert run.phones == ["base", "base"]


def test_keep_holds_the_first_failure(run: Run, pytester: pytest.Pytester) -> None:
    """--keep hands the phone over as the test has left it, before the judges, and stops then."""
    pytester.makeconftest("""
from harness import hold
def keep(config, ctx, why):
    with (ctx.log.parent / "held").open("a") as file:
        file.write(f"{ctx.log.stem}: {why}, {ctx.modem.counters()['bad_pad']}\\n")
    ctx.modem.reset_counters()
hold.phone = keep
""")
    text = "".join(
        f"""
def test_{number}(ctx):
    '''No.'''
    ctx.modem.values["bad_pad"] = 7
    check(False, "no")
"""
        for number in range(3)
    )
    # Without -n0: the plugin sees to it that there is no worker.
    found = run(text, "-nauto", "--keep")
    assert len(found) == 1
    held = next(pytester.path.glob("build/e2e/*/held")).read_text()
    assert held == "0-base: no, 7\n"


@pytest.mark.parametrize(
    ("command", "arguments", "harm"),
    [
        ("acks", {"mode": "normal", "ms": 0, "power": False}, False),
        ("acks", {"mode": "withhold", "ms": 0, "power": False}, True),
        ("hold_tx", {"on": True}, True),
        ("hold_tx", {"on": False}, False),
        ("power", {"on": True, "force": False}, False),
        ("power", {"on": False, "force": False}, True),
        ("crash", {"bam_off": False, "irq": False}, True),
        ("idle", {"ms": 5}, False),
    ],
)
def test_harm_is_known(command: str, arguments: dict[str, object], harm: bool) -> None:
    """Only what a modem that is well does not do excuses what the driver counts."""
    assert does_harm(command, arguments) == harm


@pytest.mark.parametrize(
    ("allowed", "count", "outcome"),
    [(0, 0, "passed"), (0, 1, "failed"), (2, 2, "passed"), (2, 3, "failed")],
)
def test_driver_counters_are_judged(run: Run, allowed: int, count: int, outcome: str) -> None:
    """What our driver lost or suspected is judged after each test, with counted allowances."""
    mark = f'@pytest.mark.allow("tx_lost", max={allowed}, why="it must")' if allowed else ""
    found = run(f"""
{mark}
def test_lost(ctx):
    '''Lost.'''
    ctx.phone.driver["tx_lost"] = {count}
""")
    assert found["lost"]["outcome"] == outcome
    assert ("tx_lost" in found["lost"]["failure"]) == (outcome == "failed")


@pytest.mark.parametrize(
    ("times", "outcome"),
    [
        ([2000, 3000, 4000], "passed"),
        ([2000, 3000, 99000], "passed"),
        ([2000, 98000, 99000], "failed"),
        ([98000, 99000], "passed"),
    ],
)
def test_late_wakeups_are_judged(run: Run, times: list[int], outcome: str) -> None:
    """Half of the wake-ups, if there are some, are in time."""
    wakes = [{"connect_us": 1000, "frame_us": time} for time in times]
    found = run(f"""
def test_wakes(ctx):
    '''Wakes.'''
    ctx.phone.modem.woken = {wakes}
""")
    assert found["wakes"]["outcome"] == outcome
    if len(times) > 2:
        assert found["wakes"]["figures"]["wake_connect_ms"] == 1
