"""A flow drawn: desks, sub-steps and times as boxes in an SVG that the server makes; no script. （第二十四条）

The same boxes twice: three columns beside each other for a desk's screen, one below the other for a telephone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from policies.deadlines import DEPARTMENT_REVIEW, FINANCE_REVIEW, TOWNSHIP_NOTICE, Deadline
from policies.flows import ApplicationStage, FlowContent, RosterStage, Stage, Substep, place_of

BOX_WIDTH, BOX_HEIGHT, GAP = 300, 50, 24
PAD, HEAD, LANE_GAP = 20, 46, 40
LANE_WIDTH = BOX_WIDTH + 2 * PAD


@dataclass(frozen=True)
class Box:
    """One box: what is done, by whom; `tone` is law, wait or the kind of a sub-step."""

    title: str
    note: str
    tone: str


@dataclass(frozen=True)
class Lane:
    """The boxes of one organisation, with its time."""

    title: str
    time: str
    shorter: bool
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Placed:
    """A box at its place."""

    box: Box
    x: int
    y: int


@dataclass(frozen=True)
class Frame:
    """A lane at its place."""

    lane: Lane
    x: int
    y: int
    height: int


@dataclass(frozen=True)
class Drawing:
    """A diagram of a size, ready to be drawn."""

    width: int
    height: int
    frames: tuple[Frame, ...]
    boxes: tuple[Placed, ...]
    arrows: tuple[str, ...]
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT
    lane_width: int = LANE_WIDTH


def _note(substep: Substep) -> str:
    share = [f"{substep.percent}%"] if substep.percent else []
    count = [f"至少 {substep.count} 笔" if share else f"{substep.count} 笔"] if substep.count else []
    return " ".join([f"{substep.kind.label} · {substep.desk.label}岗", *share, *count])


def _boxes(way: str, stage: Stage, label: str) -> list[Box]:
    place = place_of(way, stage.code)
    own = f"{place.desk.label}岗 · {place.article}"
    return [
        *(Box(substep.name, _note(substep), str(substep.kind)) for substep in stage.substeps),
        Box(label, own, "law"),
    ]


def _time(content: FlowContent, deadline: Deadline) -> tuple[str, bool]:
    days = content.days(deadline)
    if days is None or days >= deadline.working_days:
        return f"{deadline.working_days} 个工作日（法定）", False
    return f"{days} 个工作日（法定 {deadline.working_days} 个）", True


def roster_lanes(content: FlowContent) -> tuple[Lane, ...]:
    """Return the way of a roster."""
    held = {stage.code: stage for stage in content.roster}
    boxes = {code: _boxes("roster", held[code], code.label) for code in RosterStage if code in held}
    notice = Box("公示期", "旗县主管部门设定的天数，届满为止 · 第十五条", "wait")
    report = Box("上报", "乡镇经办岗 · 第十六条第三项", "law")
    one, two = RosterStage, boxes.get
    township = [*two(one.NOTICE, []), notice, *two(one.HEAD, []), report]
    department = [*two(one.DEPARTMENT_CLERK, []), *two(one.DEPARTMENT_REVIEWER, [])]
    finance = [*two(one.FINANCE_CLERK, []), *two(one.FINANCE_REVIEWER, [])]
    return (
        Lane("苏木乡镇（街道）", *_time(content, TOWNSHIP_NOTICE), tuple(township)),
        Lane("旗县主管部门", *_time(content, DEPARTMENT_REVIEW), tuple(department)),
        Lane("旗县财政局", *_time(content, FINANCE_REVIEW), tuple(finance)),
    )


def application_lanes(content: FlowContent) -> tuple[Lane, ...]:
    """Return the way of an application."""
    held = {stage.code: stage for stage in content.application}
    groups = (
        ("苏木乡镇（街道）", (ApplicationStage.INTAKE, ApplicationStage.HEAD)),
        ("旗县主管部门", (ApplicationStage.EXAMINE, ApplicationStage.APPROVE, ApplicationStage.NOTICE)),
    )
    lanes = []
    for title, codes in groups:
        present = [code for code in codes if code in held]
        days = [f"{code.label} {held[code].days} 天" for code in present if held[code].days]
        boxes = tuple(box for code in present for box in _boxes("application", held[code], code.label))
        lanes.append(Lane(title, "、".join(days) + "（工作日）" if days else "时限未另行规定", bool(days), boxes))
    return tuple(lanes)


def drawn(lanes: Sequence[Lane], *, beside: bool) -> Drawing:
    """Place the lanes beside each other, or one below the other."""
    frames: list[Frame] = []
    boxes: list[Placed] = []
    x = y = 0
    tallest = max(_height(lane) for lane in lanes)
    for lane in lanes:
        height = tallest if beside else _height(lane)
        frames.append(Frame(lane, x, y, height))
        boxes += [
            Placed(box, x + PAD, y + HEAD + PAD + place * (BOX_HEIGHT + GAP)) for place, box in enumerate(lane.boxes)
        ]
        if beside:
            x += LANE_WIDTH + LANE_GAP
        else:
            y += height + LANE_GAP
    width = len(lanes) * (LANE_WIDTH + LANE_GAP) - LANE_GAP if beside else LANE_WIDTH
    height = tallest if beside else y - LANE_GAP
    arrows = tuple(_arrow(one, other) for one, other in zip(boxes, boxes[1:], strict=False))
    return Drawing(width, height, tuple(frames), tuple(boxes), arrows)


def _height(lane: Lane) -> int:
    return HEAD + 2 * PAD + len(lane.boxes) * (BOX_HEIGHT + GAP) - GAP


def _arrow(one: Placed, other: Placed) -> str:
    """Return the path from one box to the next: straight down, or round to the head of the next lane."""
    middle = one.x + BOX_WIDTH // 2
    if one.x == other.x:
        return f"M{middle} {one.y + BOX_HEIGHT} V{other.y}"
    between = one.x + BOX_WIDTH + PAD + LANE_GAP // 2
    return f"M{one.x + BOX_WIDTH} {one.y + BOX_HEIGHT // 2} H{between} V{other.y + BOX_HEIGHT // 2} H{other.x}"


def diagrams(content: FlowContent) -> list[tuple[str, Drawing, Drawing]]:
    """Return both ways of a flow: title, the wide drawing, the narrow one."""
    ways = (("清册办理流程", roster_lanes(content)), ("资格申报流程", application_lanes(content)))
    return [(title, drawn(lanes, beside=True), drawn(lanes, beside=False)) for title, lanes in ways]
