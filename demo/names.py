"""Names of the demo population: Han and Mongolian, some long, some with ·, some of rare characters (DOMAIN section 6).

Every name is drawn from these lists by a seeded generator; none is taken from a person.
"""

from random import Random


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


HAN_SURNAMES = words(
    "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 袁 邓 许 傅 沈 曾"
    " 彭 吕 苏 卢 蒋 蔡 贾 丁 魏 薛 叶 阎 余 潘 杜 戴 夏 钟 汪 田 任 姜 范 方 石 姚 谭 廖 邹 熊 金 陆 郝 孔 白 崔 康 毛"
    " 邱 秦 江 史 顾 侯 邵 孟 龙 万 段 雷 钱 汤 尹 黎 易 常 武 乔 贺 赖 龚 文 欧阳 司马 慕容 上官"
)
HAN_MALE = words(
    "国 建 志 明 玉 海 春 宝 文 德 永 振 凤 学 广 俊 树 金 长 福 贵 财 山 林 军 民 强 伟 勇 涛 峰 刚 庆 祥 有 生 成 才"
    " 义 仁 龙 江 河 东 喜 富 全 殿 占 宏 立 新 云 天 忠 良 平"
)
HAN_FEMALE = words(
    "秀 桂 玉 淑 凤 兰 英 芳 霞 红 梅 艳 丽 娟 敏 静 琴 荣 珍 莲 香 华 云 春 彩 晓 雪 素 亚 金 爱 燕 平 玲 清 莉 萍 洁"
    " 杰 文 慧 娜 珠"
)

MONGOLIAN_MALE = words(
    "巴图 巴雅尔 苏和 朝鲁 那顺 宝音 毕力格 特木尔 额尔敦 格日勒图 布和 阿古拉 乌力吉 斯琴巴特 朝格图 满都拉 阿拉坦仓"
    " 呼格吉勒 孟克 吉日嘎拉 那日苏 敖特根 达来 青格勒 铁木尔 白音仓 图门巴雅尔 额尔德尼巴雅尔 巴特尔仓 哈斯巴根"
    " 乌恩其 布仁巴雅尔 道尔吉 旺其格 色音巴图 阿木古楞 苏日嘎拉图 特格喜巴雅尔 呼日勒巴特尔 宝力道 海日罕 敖其尔"
)
MONGOLIAN_FEMALE = words(
    "乌云其木格 萨仁高娃 其其格 娜仁花 斯琴高娃 乌日娜 托娅 萨日娜 阿拉坦其其格 通拉嘎 哈斯其其格 乌兰图雅 高娃 塔娜"
    " 敖登格日勒 娜布其 苏布达 金花 图雅 额尔登其木格 乌仁图雅 格根塔娜 莎日娜 其木格 牡丹 红梅 阿茹娜 萨如拉"
    " 乌尼日 索龙嘎 南斯勒玛 杭盖其其格"
)
MONGOLIAN_CLANS = ("孛儿只斤", "包", "白", "乌梁海", "弘吉剌", "兀良哈")

LONG_NAMES = ("乌日乐特格西巴雅斯古楞", "孛儿只斤·额尔敦巴特尔", "阿拉坦敖其尔朝克图巴雅尔", "额尔德尼其其格苏布达")
RARE_NAMES = ("王㛃", "李䶮", "张𠅤", "陈𬱖", "刘堃", "赵犇", "杨玥", "孙昉")
"""𠅤 and 𬱖 lie outside the BMP; 㛃 and 䶮 are not in GBK."""

HAN, MONGOLIAN, MANCHU, DAUR = "01", "02", "11", "31"


def a_name(random: Random, sex: str, ethnicity: str, family: str = "") -> str:
    """Return a name for a sex (GB/T 2261.1) and an ethnicity (GB/T 3304); Han children take the family's name."""
    if ethnicity == MONGOLIAN:
        return _mongolian(random, sex)
    given = HAN_MALE if sex == "1" else HAN_FEMALE
    count = 1 if random.random() < 0.18 else 2
    return (family or surname(random)) + "".join(random.choice(given) for _ in range(count))


def surname(random: Random) -> str:
    """Return a Han surname, the frequent ones more often."""
    first = HAN_SURNAMES[: 1 + random.randrange(len(HAN_SURNAMES))]
    return random.choice(first)


def surname_of(name: str) -> str:
    """Return the surname of a Han name: two characters for the compound ones."""
    return name[:2] if name[:2] in HAN_SURNAMES else name[:1]


def _mongolian(random: Random, sex: str) -> str:
    given = random.choice(MONGOLIAN_MALE if sex == "1" else MONGOLIAN_FEMALE)
    if random.random() < 0.06:
        return f"{random.choice(MONGOLIAN_CLANS)}·{given}"
    return given
