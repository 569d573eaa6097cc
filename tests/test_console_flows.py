"""Flows in the console: authored by clicks, refused with the place of the mistake, taken at a roster's page.

（第二十四条）
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from models.flows import FlowStatus, ProjectFlow
from models.officers import ActingOfficer
from models.rosters import Roster, RosterStatus
from tests.console import ConsoleServer, token_of
from tests.factories import a_line, a_project, a_roster
from tests.flows import a_flow, a_substep, content, follows


@pytest.fixture
def client(console: ConsoleServer) -> Iterator[Callable[[ActingOfficer], httpx.Client]]:
    """Open an officer's browser, closed at the end."""
    with ExitStack() as stack:
        yield lambda officer: stack.enter_context(console.client(officer))


def fields_of(page: str) -> dict[str, str]:
    """Return what the form would send as it stands."""
    found = dict(re.findall(r'<input [^>]*name="([^"]+)"[^>]* value="([^"]*)"', page))
    found |= {name: "on" for name in re.findall(r'<input [^>]*type="checkbox" name="([^"]+)" checked', page)}
    for name, options in re.findall(r'<select [^>]*name="([^"]+)">(.*?)</select>', page):
        found[name] = re.search(r'value="([^"]+)" selected', options).group(1)
    return found


class TestByClicks:
    def test_a_flow_is_authored_tried_and_enabled_and_only_by_the_right_people(self, client, county, owner):
        clerk, reviewer = (
            client(county.region_department.clerk),
            client(county.region_department.reviewer),
        )
        page = clerk.get("/console/project-flow/form/new").text
        made = clerk.post("/console/project-flow/form/new", data={
            "csrf_token": token_of(page), "code": "nm1", "name": "耕地地力流程", "reason": "规程",
        })  # fmt: skip
        assert made.status_code == 303
        home = made.headers["location"].split("?")[0]
        key = home.rsplit("/", 1)[1]
        edit = f"/console/project-flow/edit/{key}"
        page = clerk.get(edit).text
        page = clerk.post(edit, data=fields_of(page) | {"do": "add:roster:department_clerk"}).text
        sent = fields_of(page) | {"do": "save", "roster.department_clerk.0.name": "会签一次"}
        sent |= {"roster.department_clerk.0.kind": "countersign", "roster.department_clerk.days": "9"}
        refused = clerk.post(edit, data=sent)
        assert refused.status_code == 400
        assert "9 天长于法定的 2 个工作日" in refused.text
        assert "第 1 行“办理岗”会签须由本机构另一岗位办理" in refused.text
        assert 'value="会签一次"' in refused.text  # what was typed stays
        sent |= {"roster.department_clerk.0.desk": "department_reviewer", "roster.department_clerk.days": "1"}
        assert clerk.post(edit, data=sent).status_code == 303
        page = clerk.get(home).text
        assert "<svg" in page and "会签一次" in page and "1 个工作日（法定 2 个）" in page
        early = clerk.post("/console/project-flow/action/propose", data={"csrf_token": token_of(page), "pks": key})
        assert early.status_code == 409 and "还没有按现在的内容试运行" in early.text
        tried = clerk.post(
            f"/console/project-flow/form/try?pk={key}", data={"csrf_token": token_of(page), "pk": key, "pks": key}
        )
        assert tried.status_code == 303
        assert "虚拟清册推算" in clerk.get(home).text
        done = clerk.post("/console/project-flow/action/propose", data={"csrf_token": token_of(page), "pks": key})
        assert done.status_code == 303
        own = clerk.post("/console/project-flow/action/enable", data={"csrf_token": token_of(page), "pks": key})
        assert own.status_code == 403
        page = reviewer.get(home).text
        assert reviewer.post(
            "/console/project-flow/action/enable", data={"csrf_token": token_of(page), "pks": key}
        ).status_code == 303  # fmt: skip
        with owner() as session:
            assert session.get_one(ProjectFlow, int(key)).status == FlowStatus.IN_FORCE
        assert clerk.get(edit).status_code == 409
        for other in (county.department.clerk, county.region_finance.clerk, county.township.clerk):
            assert client(other).get(edit).status_code in (403, 404)
            assert client(other).get("/console/project-flow/form/new").status_code == 403
        assert client(county.civil_affairs.clerk).get(home).status_code == 404
        assert client(county.township.clerk).get(home).status_code == 200

    def test_rows_are_ordered_and_removed_and_optional_stages_switched_off(self, client, county, owner):
        rows = [a_substep("spot_check", "department_clerk", name, count=1) for name in ("甲", "乙")]
        with owner() as session:
            flow = a_flow(session, county, content("department_clerk", *rows), enabled=False)
        clerk, edit = client(county.region_department.clerk), f"/console/project-flow/edit/{flow.id}"
        page = clerk.get(edit).text
        page = clerk.post(edit, data=fields_of(page) | {"do": "up:roster:department_clerk:2"}).text
        assert page.index('value="乙"') < page.index('value="甲"')
        page = clerk.post(edit, data=fields_of(page) | {"do": "remove:roster:department_clerk:2"}).text
        sent = fields_of(page) | {"do": "save"}
        del sent["application.head.on"]
        assert clerk.post(edit, data=sent).status_code == 303
        with owner() as session:
            held = session.get_one(ProjectFlow, flow.id).content
        assert [one["name"] for one in held["roster"][2]["substeps"]] == ["乙"]
        assert [one["code"] for one in held["application"]] == ["intake", "examine", "approve", "notice"]

    def test_a_sub_step_is_a_button_on_the_rosters_page_for_its_desk(self, client, county, owner):
        with owner() as session:
            a_flow(session, county, content("department_clerk", a_substep("spot_check", name="入户抽查", percent=40)))
            project = follows(session, a_project(session, county), "NM1")
            roster = a_roster(session, county, project=project, status=RosterStatus.REPORTED, lines=[a_line()] * 5)
        clerk, home = client(county.department.clerk), f"/console/roster/details/{roster.id}"
        page = clerk.get(home).text
        assert f'href="/console/roster/form/substep?pk={roster.id}">入户抽查</a>' in page
        assert "环节待办抽查：入户抽查" in page
        assert "form/substep" not in client(county.township.clerk).get(home).text
        token = token_of(page)
        early = clerk.post("/console/roster/action/examine-department", data={"csrf_token": token, "pks": roster.id})
        assert early.status_code == 409 and "抽查：入户抽查（主管部门经办岗）" in early.text
        assert "系统抽中 2 笔" in clerk.get(f"/console/roster/form/substep?pk={roster.id}").text
        sent = {"csrf_token": token, "pk": roster.id, "pks": roster.id, "note": "两户真实"}
        assert clerk.post("/console/roster/form/substep", data=sent | {"note": ""}).status_code == 400
        assert clerk.post("/console/roster/form/substep", data=sent).status_code == 303
        with owner() as session:
            assert session.get_one(Roster, roster.id).substep_desk is None
        assert "主管部门初审环节抽查：入户抽查" in clerk.get(f"{home}?tab=events").text
        assert "两户真实" in clerk.get(f"{home}?tab=roster_substeps").text
