"""Chapters 1 to 6: indicators, rosters from Excel, checks, notice, endorsement, two reviews. （第十、十六至十八条）"""

from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col, select

from demo.people import PERIOD, PERIOD_END, PERIOD_START
from demo.story.scene import Part, Scene, StoryBroken, after, yuan
from models.households import IdentityOutcome
from models.imports import ImportStatus, RosterImport
from models.jobs import Job, JobStatus
from models.notices import Notice
from models.projects import SubsidyProject
from models.rosters import LineState, Roster, RosterLine, RosterStatus
from models.warnings import Light, RosterWarning
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.refusals import NotAllowed
from workflows import checks, imports, indicator_downloads, notices, roster_lines, rosters, warnings
from workflows.roster_conditions import NoticeRunning, ObjectionsOpen
from workflows.warnings import ExplanationMissing, StoppedByRedLight

ACCOUNTS = {
    "verified": "已验证",
    "unknown": "不存在",
    "closed": "已销户",
    "dormant": "不动户",
    "frozen": "冻结",
    "name_differs": "户名不符",
}
"""The banks' answers as the story prints them."""


def download_indicators(scene: Scene, parts: list[Part]) -> None:
    """Download each county's indicators; a second download adds nothing. （第十条）"""
    scene.title("下载预算指标（第十条）")
    for finance in dict.fromkeys(part.finance for part in parts):
        clerk = scene.by(f"{finance}.clerk")
        new = indicator_downloads.download(by=clerk)
        again = indicator_downloads.download(by=clerk)
        with scene.look() as session:
            total = session.execute(
                sa.text("select coalesce(sum(amount_fen), 0) from budget_indicators where division_code = :county"),
                {"county": clerk.division_code},
            ).scalar_one()
        scene.say(f"{clerk.organisation}下载惠民惠农指标 {new} 项，合计 {yuan(total)}；再次下载新增 {again} 项")
        if again:
            raise StoryBroken("再次下载不应新增指标")


def import_rosters(scene: Scene, parts: list[Part], broken: Part) -> None:
    """Import a broken workbook (refused whole, marked), then the good ones. （第十六条）"""
    scene.title("从 Excel 造册（第十六条）")
    refused = _import(scene, broken)
    if refused.status != ImportStatus.REFUSED or scene.rosters():
        raise StoryBroken("有问题的工作簿应整体退回")
    first = refused.problems[0]
    scene.say(f"{broken.file}：{refused.problem_count} 处问题，整体退回，未导入任何一行；第一处：{first}")
    for part in parts:
        done = _import(scene, part)
        if done.status != ImportStatus.APPLIED:
            raise StoryBroken(f"{part.file} 未导入：{done.problems[:3]}")
        with scene.look() as session:
            scene.parts[session.get_one(Roster, done.roster_id).number] = part
        scene.say(f"{part.file}：导入 {done.row_count} 行，{yuan(done.amount_fen)}，提示 {done.note_count} 处")
    scene.refused(imports.SameFile, f"{parts[0].township}.clerk", _receive_again, part=parts[0])


def _receive_again(session: Session, *, by: object, part: Part) -> RosterImport:
    return _receive(session, by=by, part=part)


def _receive(session: Session, *, by: object, part: Part) -> RosterImport:
    project = session.exec(select(SubsidyProject).where(SubsidyProject.code == part.project)).one()
    return imports.receive(
        session,
        by=by,  # type: ignore[arg-type]
        project=project,
        period=PERIOD,
        period_start=PERIOD_START,
        period_end=PERIOD_END,
        file_name=part.file,
        content=part.path.read_bytes(),
    )


def _import(scene: Scene, part: Part) -> RosterImport:
    record: RosterImport = scene.do(f"{part.township}.clerk", _receive, part=part)
    done: RosterImport = scene.wait(
        f"导入 {part.file}",
        lambda session: session.exec(
            select(RosterImport).where(RosterImport.id == record.id, RosterImport.status != ImportStatus.RECEIVED)
        ).one_or_none(),
    )
    return done


def check_rosters(scene: Scene) -> None:
    """Check identities, accounts and rules by job; with the police shut it waits. （第十六条第一、二项）"""
    scene.title("核查：公安、账户、规则（第十六、十八条）")
    scene.sandboxes.stop("police")
    first, *rest = scene.rosters()
    job = scene.do(f"{scene.parts[first.number].township}.clerk", checks.start_check, first)
    scene.holds("公安关闭时核查通过", lambda session: session.get_one(Job, job.id).status == JobStatus.DONE)
    scene.say("公安联网核查关闭：任务等待，没有通过")
    scene.sandboxes.start("police")
    jobs = [job] + [scene.do(f"{scene.parts[r.number].township}.clerk", checks.start_check, r) for r in rest]
    for each in jobs:
        done = scene.wait("核查完成", partial(_ended, job=each))
        if done.status != JobStatus.DONE:
            raise StoryBroken(f"{done.title}：{done.message}")
    for roster in scene.rosters():
        scene.say(f"{roster.number} {roster.township}：{_outcomes(scene, roster)}")


def _ended(session: Session, job: Job) -> Job | None:
    found = session.get_one(Job, job.id)
    return found if found.status not in (JobStatus.QUEUED, JobStatus.RUNNING) else None


def _outcomes(scene: Scene, roster: Roster) -> str:
    with scene.look() as session:
        rows = session.execute(
            sa.text(
                "select identity_outcome, account_state, count(*)"
                " from roster_lines where roster_id = :roster group by 1, 2 order by 3 desc"
            ),
            {"roster": roster.id},
        ).all()
        lights = session.execute(
            sa.text("select light, count(*) from roster_warnings where roster_id = :roster and live group by 1"),
            {"roster": roster.id},
        ).all()
    people = "，".join(
        f"身份{IdentityOutcome(one).label}、账户{ACCOUNTS.get(two, two)} {count} 人" for one, two, count in rows
    )
    return people + "；预警 " + ("、".join(f"{Light(light).label} {count}" for light, count in sorted(lights)) or "无")


def stop_and_hold(scene: Scene) -> None:
    """Stop the dead, hold the mismatched and the unpayable: the rest of the roster is free. （第十六条第一、二项）"""
    for roster in scene.rosters():
        clerk = f"{scene.parts[roster.number].township}.clerk"
        with scene.look() as session:
            red = session.exec(
                select(RosterLine)
                .where(RosterLine.roster_id == roster.id, col(RosterLine.state) == LineState.ACTIVE)
                .where(
                    col(RosterLine.id).in_(
                        select(RosterWarning.line_id).where(
                            RosterWarning.roster_id == roster.id,
                            col(RosterWarning.light) == Light.RED,
                            col(RosterWarning.live),
                        )
                    )
                )
                .order_by(col(RosterLine.sequence))
            ).all()
        for line in red:
            dead = line.identity_outcome == IdentityOutcome.DEAD
            verb = roster_lines.stop if dead else roster_lines.hold
            scene.do(clerk, verb, line, reason="公安核查：已死亡，停发" if dead else "核查异常，待更正后另行造册")
            scene.say(
                f"{roster.township} 序号 {line.sequence}：{'停发' if dead else '缓发'}（{yuan(line.amount_fen)}）"
            )


def publish_and_endorse(scene: Scene) -> None:
    """Hang each roster on notice, settle an objection, endorse when it has run. （第十五、三十一条）"""
    scene.title("公示与负责人审核（第十五、十六、三十一条）")
    for roster in scene.rosters():
        scene.do(f"{scene.parts[roster.number].township}.clerk", rosters.publish_notice, roster, mode="online")
    first = scene.rosters()[0]
    township = scene.parts[first.number].township
    objection = scene.do(f"{township}.clerk", notices.object_, first, text="邻居反映承包面积有误", line_sequence=2)
    scene.refused(NoticeRunning, f"{township}.head", rosters.endorse, first, attested=True)
    pass_notices(scene)
    scene.refused(ObjectionsOpen, f"{township}.head", rosters.endorse, first, attested=True)
    scene.do(f"{township}.clerk", notices.settle, objection, answer="已入户核实，承包合同面积与清册一致")
    for roster in scene.rosters():
        scene.do(f"{scene.parts[roster.number].township}.head", rosters.endorse, roster, attested=True, opinion="属实")
        scene.say(f"{roster.township} {roster.project_name}：公示期满，负责人审核通过")


def pass_notices(scene: Scene) -> None:
    """Let the time of every notice pass: the clock moves, no row is back-dated."""
    with scene.look() as session:
        ends = max(notice.ends_at for notice in session.exec(select(Notice)))
    scene.pass_time(after(ends))


def report_rosters(scene: Scene) -> None:
    """Red stops, yellow is explained, blue acknowledged; then each township reports. （第十八条）"""
    scene.title("预警与上报（第十六、十八条）")
    for roster in scene.rosters():
        clerk = f"{scene.parts[roster.number].township}.clerk"
        _pass_gate(scene, roster, clerk, rosters.report)


def _pass_gate(scene: Scene, roster: Roster, clerk: str, verb: object) -> None:
    """Take a gated step: answer what the lights ask, then take it again."""
    try:
        scene.do(clerk, verb, roster)  # type: ignore[arg-type]
    except ExplanationMissing as asked:
        scene.say(f"[yellow]{roster.township}[/yellow]：{asked}")
        _answer(scene, roster, clerk)
        scene.do(clerk, verb, roster)  # type: ignore[arg-type]
    except StoppedByRedLight as stopped:
        raise StoryBroken(f"{roster.number} 仍有红灯：{stopped}") from stopped
    scene.say(f"{roster.township} {roster.project_name}：{_label(verb)}")


def _label(verb: object) -> str:
    name = getattr(verb, "__name__", "")
    return next(step.label for step in ROSTER_LIFECYCLE.steps if step.verb == name)


def _answer(scene: Scene, roster: Roster, clerk: str) -> None:
    with scene.look() as session:
        open_ = session.exec(
            select(RosterWarning.rule_code, RosterWarning.light)
            .where(RosterWarning.roster_id == roster.id, col(RosterWarning.live), RosterWarning.explanation == "")
            .distinct()
        ).all()
    for code, light in open_:
        if light == Light.YELLOW:
            scene.do(
                clerk, warnings.explain_rule, roster, rule_code=code, text="已逐户核对权属资料和账户登记，情况属实"
            )
        elif light == Light.BLUE:
            scene.do(clerk, warnings.acknowledge_rule, roster, rule_code=code)


def review_rosters(scene: Scene) -> None:
    """Department and finance, clerk and reviewer; one return and resume; nobody at two desks. （第十七、二十三条）"""
    scene.title("主管部门与财政审核（第十七、二十三条）")
    first = scene.rosters()[0]
    part = scene.parts[first.number]
    scene.refused(NotAllowed, f"{part.township}.clerk", rosters.examine_department, first)
    scene.do(f"{part.department}.clerk", rosters.return_, first, reason="请补充逐户核查记录")
    scene.say("主管部门退回一次，时限暂停；乡镇更正后回到退回的岗位")
    scene.do(f"{part.township}.clerk", rosters.resume, first)
    for roster in scene.rosters():
        mine = scene.parts[roster.number]
        _pass_gate(scene, roster, f"{mine.department}.clerk", rosters.examine_department)
        _pass_gate(scene, roster, f"{mine.department}.reviewer", rosters.pass_department)
        _pass_gate(scene, roster, f"{mine.finance}.clerk", rosters.examine_finance)
        _pass_gate(scene, roster, f"{mine.finance}.reviewer", rosters.pass_finance)
    left = [roster.number for roster in scene.rosters() if roster.status != RosterStatus.FINAL]
    if left:
        raise StoryBroken(f"未终审：{left}")
    total = sum(roster.amount_fen for roster in scene.rosters())
    lines = sum(roster.line_count for roster in scene.rosters())
    scene.say(f"终审 {len(scene.rosters())} 份清册，{lines} 笔，{yuan(total)}")
