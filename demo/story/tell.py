"""The story from beginning to end, and the invariants it must leave behind."""

import shutil
import tempfile
from pathlib import Path

from demo.people import GRASSLAND, LAND
from demo.story import ending, money, rosters
from demo.story.scene import Part, Scene, database_of
from models.cluster import Cluster

AOHAN, ABAGA = ("aohan.nongmu", "aohan.caizheng"), ("abaga.nongmu", "abaga.caizheng")
BROKEN = Part("shuangjing-land-2026-broken.xlsx", LAND, "beizifu", *AOHAN)
PARTS = [
    Part("changsheng-land-2026.xlsx", LAND, "changsheng", *AOHAN),
    Part("beizifu-land-2026.xlsx", LAND, "beizifu", *AOHAN),
    Part("shuangjing-land-2026.xlsx", LAND, "beizifu", *AOHAN),
    Part("aorunsumo-land-2026.xlsx", LAND, "aorunsumo", *AOHAN),
    Part("aorunsumo-grassland-2026.xlsx", GRASSLAND, "aorunsumo", *AOHAN),
    Part("bieligutai-grassland-2026.xlsx", GRASSLAND, "bieligutai", *ABAGA),
]


def tell(database_url: str, home: Path, *, quiet: bool = False) -> dict[str, int]:
    """Tell the story on an empty database; return its closing figures.

    Raises StoryBroken (or the refusal or error that broke it) when a step or an invariant fails.
    """
    with Scene(database_url, home, quiet=quiet) as scene:
        rosters.download_indicators(scene, PARTS)
        rosters.import_rosters(scene, PARTS, BROKEN)
        rosters.check_rosters(scene)
        rosters.stop_and_hold(scene)
        rosters.publish_and_endorse(scene)
        rosters.report_rosters(scene)
        rosters.review_rosters(scene)
        money.order_payments(scene)
        money.send_batches(scene)
        money.follow_failures(scene)
        money.pay_again(scene)
        money.reconcile(scene)
        figures = ending.issue_bulletin(scene)
        return figures | ending.hold_invariants(scene)


def tell_once() -> None:
    """Tell the story on a throw-away server: `make story`."""
    home = Path(tempfile.mkdtemp(prefix="yikatong-story-"))
    home.chmod(0o711)
    try:
        with Cluster(home / "cluster", durable=False) as server:
            tell(database_of(server, "story"), home / "data")
    finally:
        shutil.rmtree(home, ignore_errors=True)
