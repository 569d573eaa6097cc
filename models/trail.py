"""Which tables' changes leave a trail, and why the others don't. （第二十三条）"""

UNWATCHED = {
    "acting_posts": "凭证有效的岗位，由数据库随岗位和用户自动维护，二者的变更已留痕",
    "account_batch_rows": "批量换卡的暂存行和逐行结果，登记时账户另行留痕，新卡号登记后清除",
    "address_failures": "来源地址的登录失败计数，登录被拒另有记录",
    "alembic_version": "数据库结构版本，由升级程序维护",
    "application_results": "协同反馈：申请状态和发放结果的副本，只能追加，申请和发放明细另有留痕",
    "changes": "变更记录本身：只能追加，已在链中",
    "event_heads": "散列链的链头，由链自己维护",
    "event_links": "散列链的环：只能追加",
    "events": "办理记录本身：只能追加，已在链中",
    "exchange_coverage": "共享信息的条数，随共享信息自动累计",
    "exchange_nonces": "共享接口已接受的随机串，防止重放，过时清除",
    "exchange_rows": "共享批次的暂存行，写入共享信息和证件时另行留痕，处理完即清除",
    "import_rows": "导入时的暂存行，写入清册时另行留痕，完成后清除",
    "indicator_downloads": "指标下载的进度，写入指标时另行留痕，发起和完成另有记录",
    "login_sessions": "登录会话的活动时间，登录和退出另有记录",
    "policy_version": "权限策略的版本计数，随策略变更自动增加",
    "qualification_lines": "清册明细与资格的对应，随造册写入，只能追加，清册明细另有留痕",
    "registry_import_rows": "基础信息导入时的暂存行，写入基础信息库时另行留痕，完成后清除",
    "session_secrets": "会话令牌的散列和防伪令牌，会话的开始和结束另有记录",
    "villages": "查询用的嘎查村名称，由触发器随户登记写入，户的变更另行留痕",
}
"""Technical tables, each with its reason; every other table of ours is watched (a test fails for one in neither)."""

TOLD_BY_EVENTS = ("desk_holders",)
"""Watched for what must never happen to them; who takes a seat is told by the event of the same transaction."""
