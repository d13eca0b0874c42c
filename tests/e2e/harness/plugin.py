# SPDX-License-Identifier: GPL-2.0
"""The part of pytest that knows phones: options, markers, fixtures, and one verdict on each test.

tests/e2e/README.md has what a user needs to know.
"""

import argparse
import dataclasses
import os
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from harness import (
    allowance,
    artifacts,
    campaign,
    hold,
    inventory,
    judge,
    kind,
    paths,
    pool,
    profile,
    report,
    results,
    schedule,
    verdict,
    versions,
)
from harness.context import Context
from harness.errors import BrokenError, FailedError, JudgedError, MissingError
from harness.kind import Kind
from harness.phone import Phone
from harness.pool import Pool, Run
from harness.verdict import Result

MARKERS = (
    "debug: runs on the debug kernel by default, because its checkers add something to it",
    "full: runs in `make test-full` alone; in `make test` others of its kind do",
    "ours: for our driver only, not for mainline's",
    "userspace: Debian's user space runs in the phone (set where the fixture of that name is used)",
    "campaign: does as much as ctx.sizes says",
    "defect(numbers..., symptom=, kernel='base'): mainline's driver must fail in these words",
    "finding(name, words=): our driver must fail in these words, because of what is named",
    "allow(counter, max=, why=): how often the test may make a counter of faults count",
    "complaints((pattern, why), ...): what ModemManager says about what the test does",
    "boot(words...): for the command line of the guest's kernel",
    "board(variant): another board than the usual one",
    "profile(name='msm8916', figures...): how the modem behaves in time (harness/profile.py)",
    "modem(options...): for the command line of the simulated modem",
    "stays: the phone stands still when its guest powers off or resets, to be looked at",
    "needs(path): a file that the guest's kernel must have",
)
# Seconds on the base kernel after which a test is given up.
TIMEOUT = 120
# Many times what a phone takes to boot, and how much slower than the base kernel on a quiet machine
# it may be: pytest-timeout ends a harness that stands still, after that much more than TIMEOUT.
BOOTS, SLOWEST = 900, 30
DURATIONS = "bam-dmux/durations"

DIRECTORY = pytest.StashKey[Any]()
POOL = pytest.StashKey[Pool]()
SIZES = pytest.StashKey[campaign.Sizes]()
CASE = pytest.StashKey["Case"]()
LIMIT = pytest.StashKey[float]()


@dataclasses.dataclass
class Case:
    """A test that is under way."""

    began: float
    # In words, in their order.
    failures: list[str] = dataclasses.field(default_factory=list)
    skipped: str = ""
    # Whether the phone can still be asked.
    broken: bool = False
    ctx: Context | None = None
    # Of those who wait for the test's end.
    cancel: Callable[[], None] = lambda: None


# --- Options and markers -----------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Ours; DRIVER and KERNEL in the environment are defaults."""
    group = parser.getgroup("bam-dmux", "virtual phone")
    group.addoption(
        "--driver",
        choices=list(paths.DRIVERS),
        default=os.environ.get("DRIVER") or "ours",
        help="the driver under test",
    )
    group.addoption(
        "--kernel",
        choices=("auto", "full", *kind.KERNELS),
        default=os.environ.get("KERNEL") or "auto",
        help="auto: debug for tests marked 'debug', base for the others; full: that, and all on "
        "debug; or one kernel for all",
    )
    group.addoption("--campaign", action="store_true", help="those marked 'campaign', for long")
    for size in dataclasses.fields(campaign.Sizes):
        group.addoption(f"--{size.name}", type=int, help=argparse.SUPPRESS)
    group.addoption(
        "--keep",
        action="store_true",
        help="stop at the first failure and leave its phone running, with a shell (one worker)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """What a run needs; the results' directory is made by the process that the user has started."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[SIZES] = _sizes(config)
    if hasattr(config, "workerinput"):
        config.stash[DIRECTORY] = paths.Path(config.workerinput["results"])
        return
    if config.option.collectonly or config.option.help:
        return
    if config.option.keep:
        config.option.maxfail = 1
    directory, lock = results.new("campaign" if config.option.campaign else "test")
    config.stash[DIRECTORY] = directory
    config.add_cleanup(lock.close)
    about = {
        "driver": paths.DRIVERS[config.option.driver],
        "kernel": config.option.kernel,
        **versions.about(),
    }
    config.pluginmanager.register(report.Report(config, directory, about), "bam-dmux-report")


def _sizes(config: pytest.Config) -> campaign.Sizes:
    usual = campaign.SHORT
    if config.option.campaign:
        usual = campaign.LONG
    elif config.option.kernel == "full":
        usual = campaign.FULL
    fields = dataclasses.fields(campaign.Sizes)
    asked = {field.name: getattr(config.option, field.name) for field in fields}
    return dataclasses.replace(usual, **{k: v for k, v in asked.items() if v is not None})


# --- Workers -----------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many as processors; none but this process itself where a phone is to be kept."""
    return 0 if config.option.keep else os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All workers have to agree on the order of the tests."""
    node.workerinput["results"] = str(node.config.stash[DIRECTORY])
    node.workerinput["durations"] = _durations(node.config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> schedule.Scheduler:
    """Phones take long to boot."""
    return schedule.Scheduler(config, log, _durations(config))


def _durations(config: pytest.Config) -> dict[str, float]:
    """How long each test took when it was last run, in seconds."""
    if hasattr(config, "workerinput"):
        return config.workerinput["durations"]
    return config.cache.get(DURATIONS, {})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Whatever phone is left goes, and what tests took is noted."""
    config = session.config
    if phones := config.stash.get(POOL, None):
        phones.close()
    if hasattr(config, "workerinput") or DIRECTORY not in config.stash:
        return
    reporter = config.pluginmanager.getplugin("bam-dmux-report")
    config.cache.set(DURATIONS, {**_durations(config), **reporter.durations})
    for packed in config.stash[DIRECTORY].glob("initramfs-*"):
        packed.unlink()


# --- Collection --------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with a phone is one test for each kind of phone; tryfirst: its name begins with it."""
    if "phone_kind" not in metafunc.fixturenames:
        return
    markers = list(metafunc.definition.iter_markers())
    names = {mark.name for mark in markers}
    symptom_kernel = next((m.kwargs.get("kernel") for m in markers if m.name == "defect"), None)
    options = metafunc.config.option
    # A board of its own is a phone of its own, and to boot one on the debug kernel takes a minute.
    debug = "debug" in names and ("full" in names or "board" not in names)
    kernels = kind.kernels(options.kernel, options.driver, debug, symptom_kernel)
    kinds = [kind.of_test(markers, kernel) for kernel in kernels]
    metafunc.parametrize("phone_kind", kinds, ids=[str(one) for one in kinds])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what has user space, before -m looks at the markers."""
    if "userspace" in getattr(item, "fixturenames", ()):
        item.add_marker("userspace")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not for this driver, and put the others in order."""
    deselected = []
    for item in items:
        # Malformed markers are found before anything is run.
        verdict.of_test(item.iter_markers(), config.option.driver)
        allowance.of_test(item.iter_markers())
        profile.of_test(item.iter_markers())
        if _phone_kind(item):
            item.stash[LIMIT] = limit = _limit(item, config.stash[SIZES])
            item.add_marker(pytest.mark.timeout(BOOTS + SLOWEST * limit), append=False)
        wrong_driver = config.option.driver == "mainline" and item.get_closest_marker("ours")
        short = config.option.campaign and not item.get_closest_marker("campaign")
        if wrong_driver or short or _is_for_full(item):
            deselected.append(item)
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]
    numbers = schedule.in_order([item.nodeid for item in items], _durations(config))
    place = {nodeid: number for number, nodeid in enumerate(numbers)}
    items.sort(key=lambda item: place[item.nodeid])


def _is_for_full(item: pytest.Item) -> bool:
    """Whether a test is not for `make test`, but for `make test-full` alone."""
    options = item.config.option
    usual = options.kernel == "auto" and options.driver == "ours" and not options.campaign
    return usual and item.get_closest_marker("full") is not None


def _phone_kind(item: pytest.Item | None) -> Kind | None:
    """The kind of phone that a test needs, if it needs one."""
    return item.callspec.params.get("phone_kind") if hasattr(item, "callspec") else None


def _limit(item: pytest.Item, sizes: campaign.Sizes) -> float:
    """Seconds on the base kernel after which a test is given up."""
    if item.get_closest_marker("campaign") and sizes.long:
        return campaign.TIMEOUT
    mark = item.get_closest_marker("timeout")
    return mark.args[0] if mark else TIMEOUT


# --- Fixtures ----------------------------------------------------------------------


@pytest.fixture
def phone(request: pytest.FixtureRequest, phone_kind: Kind) -> Phone:
    """A phone with a modem that nobody has booted, and without a driver."""
    config = request.config
    if POOL not in config.stash:
        worker = getattr(config, "workerinput", {}).get("workerid", "main")
        run = Run(config.option.driver, config.stash[DIRECTORY], worker)
        config.stash[POOL] = Pool(run, pool.boot)
    try:
        return config.stash[POOL].take(phone_kind, _name(request.node))
    except MissingError as error:
        # Nothing that comes after can have a phone either.
        request.session.shouldstop = f"bam-dmux: {error}"
        raise


@pytest.fixture
def modem(phone: Phone) -> Any:
    """The simulated modem of the phone."""
    return phone.modem


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> str:
    """The driver under test: "ours" or "mainline"."""
    return request.config.option.driver


@pytest.fixture
def _case(request: pytest.FixtureRequest, phone: Phone, driver: str) -> Iterator[Context]:
    """A test's view of its phone; afterwards the judges look at what the test has left."""
    item, sizes = request.node, request.config.stash[SIZES]
    directory = request.config.stash[DIRECTORY]
    case = item.stash[CASE]
    name = re.sub(r"[^\w.,=-]+", "-", _name(item)).strip("-")
    log = directory / f"{name}.log"
    case.ctx = ctx = Context(
        phone,
        driver,
        log,
        allowance.of_test(item.iter_markers()),
        sizes,
        profile.of_test(item.iter_markers()),
        lambda text: results.tell(directory, text),
    )
    start = phone.log_position()
    _check_needs(item, ctx)
    timer = phone.deadline(item.stash[LIMIT] * phone.slowness, _name(item))
    case.cancel = timer.cancel
    try:
        yield ctx
        known = [] if case.broken or phone.left else _judge(item, ctx)
    finally:
        timer.cancel()
    expected = verdict.of_test(item.iter_markers(), driver)
    splats = judge.known_splats(driver, expected.defects if expected else ())
    try:
        if case.broken:
            # Not to the end of what it has to say: nobody answers.
            judge.kernel_log(phone, phone.judged, splats)
        else:
            judge.new_log(phone, splats)
    except Exception as error:  # whatever it is, the log is not clean
        request.config.stash[POOL].spoil()
        known.append(str(error))
    if case.failures or known or phone.left:
        request.config.stash[POOL].spoil()
    new = [failure for failure in known if failure not in case.failures]
    artifacts.keep(ctx, start, [*case.failures, *new])
    if new:
        raise JudgedError(new)


def _check_needs(item: pytest.Item, ctx: Context) -> None:
    """Skip a test on a kernel that lacks what it needs, where that is to be expected."""
    for mark in item.iter_markers("needs"):
        missing = [path for path in mark.args if ctx.phone.sh(f"test -e {path}")[0] != 0]
        if not missing:
            continue
        why = f"the {ctx.phone.kernel} kernel has no {', '.join(missing)}"
        # Where everything that can be needed should be, nothing is skipped without a word.
        chosen = item.config.option.kernel not in ("base", "kcsan") and ctx.ours
        if chosen or ctx.phone.kernel == "debug":
            raise JudgedError([f"{why}: does it lack the marker 'debug'?"])
        pytest.skip(why)


def _judge(item: pytest.Item, ctx: Context) -> list[str]:
    """What the judges say: each of them, as long as the phone can be asked."""
    complaints = tuple(pair for mark in item.iter_markers("complaints") for pair in mark.args)
    said: list[str] = []
    for step in (
        lambda: judge.userspace(ctx, complaints),
        lambda: judge.driver(ctx),
        lambda: judge.wakes(ctx),
        lambda: judge.acks(ctx),
        lambda: judge.tidy(ctx),
        lambda: judge.modem_faults(ctx),
    ):
        try:
            step()
        except AssertionError as error:
            said.append(str(error))
            artifacts.note_state(ctx)
        except Exception as error:
            said.append(_words(error))
            break
    return list(dict.fromkeys(said))


@pytest.fixture
def ctx(_case: Context) -> Context:
    """The Context, bare: no driver, and a modem as after power-on that nobody has booted."""
    _case.fresh_modem()
    return _case


@pytest.fixture
def bare(ctx: Context) -> Context:
    """The same, said aloud."""
    return ctx


@pytest.fixture
def loaded(ctx: Context) -> Context:
    """The driver is loaded and bound; the modem is not booted."""
    ctx.load()
    return ctx


@pytest.fixture
def up(loaded: Context) -> Context:
    """Channel 0 carries traffic."""
    loaded.open_modem()
    loaded.up()
    return loaded


@pytest.fixture
def userspace(loaded: Context) -> Context:
    """Channels 0 and 1 are open but need calls; ModemManager runs and has found the modem."""
    loaded.modem.gate(True)
    loaded.open_modem((0, 1))
    loaded.userspace.start()
    loaded.mm.wait_modem()
    return loaded


# --- One verdict on each test ------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test and report it as one: what its setup, its body and its judges say together."""
    hook = item.ihook
    item.stash[CASE] = case = Case(began=0)
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    result = _result(item, case, sum(one.duration for one in reports))
    merged = _merge(result, reports)
    if phones := item.config.stash.get(POOL, None):
        phones.settle(_phone_kind(nextitem))
        merged[-1].looks = [look.record() for look in phones.take_looks()]
    for one in merged:
        hook.pytest_runtest_logreport(report=one)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo
) -> Iterator[None]:  # yields once, returns the report
    """Note what failed, in words, while the phone is still as it was then."""
    one = yield
    case = item.stash.get(CASE, None)
    if case is None or not call.excinfo:
        return one
    error = call.excinfo.value
    if one.skipped:
        case.skipped = str(error)
        return one
    new = error.said if isinstance(error, JudgedError) else [_words(error, one)]
    case.failures += [failure for failure in new if failure not in case.failures]
    if case.ctx and one.when != "teardown":
        # An assertion says something of the driver; anything else, that the phone may be gone.
        case.broken = not isinstance(error, AssertionError)
        # The modem can be asked even if the guest is silent; later it is gone with its phone.
        (artifacts.note_modem if case.broken else artifacts.note_state)(case.ctx)
    if case.ctx and item.config.option.keep:
        case.cancel()
        item.ihook.pytest_timeout_cancel_timer(item=item)
        hold.phone(item.config, case.ctx, "\n".join(new))
    return one


def _words(error: BaseException, one: pytest.TestReport | None = None) -> str:
    """An error as it is told: in its own words, or with its place if it says nothing of itself."""
    if isinstance(error, (FailedError, BrokenError, MissingError)):
        return str(error)
    if one is not None:
        return one.longreprtext
    return "".join(traceback.format_exception(error))


def _name(item: pytest.Item) -> str:
    """A test's name in results: without the prefix that pytest wants."""
    return item.name.removeprefix("test_")


def _result(item: pytest.Item, case: Case, seconds: float) -> Result:
    """What came of a test."""
    result = Result(_name(item), inventory.proves(item), seconds)
    phone_kind = _phone_kind(item)
    if phone_kind:
        result.kernel, result.driver = phone_kind.kernel, item.config.option.driver
    if case.ctx:
        result.log, result.figures = paths.shown(case.ctx.log), case.ctx.figures
    if case.skipped and not case.failures:
        result.outcome, result.failure = "skipped", case.skipped
    else:
        driver = item.config.option.driver if phone_kind else ""
        verdict.settle(result, case.failures, verdict.of_test(item.iter_markers(), driver))
    return result


def _merge(result: Result, reports: list[pytest.TestReport]) -> list[pytest.TestReport]:
    """The reports, of which one has the verdict: that of the body, or of a setup that failed."""
    main = next((one for one in reports if one.when == "call"), reports[0])
    longreprs = [one.longrepr for one in reports if one.failed and one.longrepr]
    main.when = "call"
    main.verdict = result.record()
    for one in reports:
        if one is not main and one.failed:
            one.outcome, one.longrepr = "passed", None
    if result.outcome == "skipped":
        return reports
    main.duration = result.seconds
    if result.outcome == "passed":
        main.outcome, main.longrepr = "passed", None
    elif result.outcome == "expected":
        main.outcome, main.longrepr = "skipped", result.failure
        main.wasxfail = f"{result.expected}: {result.evidence}"
    else:
        main.outcome = "failed"
        # The place in the source, if there is one reason alone; the words are all there is else.
        alone = len(longreprs) == 1 and not result.expected
        main.longrepr = longreprs[0] if alone else result.failure
    return reports
