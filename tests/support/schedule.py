"""Decides which tests run in the same process of a parallel run, and in which order.

The tests of a file run in one process, as with --dist loadfile. The files of a group of GROUPS also run in one process,
because they share a fixture or a process whose start takes at least ten seconds of processor time. Long files and
groups start first, so that the processes end at about the same time.
"""

from xdist.scheduler import LoadFileScheduling

GROUPS = {
    "a copy of the server": ("tests/web/outages/test_standby.py", "tests/db/site_status/test_states.py"),
    "the large catalog": (
        "tests/sql/search/test_search_routes.py",
        "tests/sql/search/test_several_starts.py",
        "tests/sql/bits/test_bit_route.py",
        "tests/sql/search/test_plans.py",
        "tests/sql/search/test_nearest_image.py",
        "tests/sql/search/test_cut_by_index.py",
        "tests/sql/calibration/test_calibrate.py",
        "tests/sql/search/test_keyword_limits.py",
        "tests/sql/search/test_change.py",
        "tests/sql/browsing/test_browse.py",
        "tests/sql/labels/",
        "tests/sql/models/test_large_coverage.py",
        "tests/sql/suggest/test_suggest.py",
        "tests/db/lifecycle/test_warming.py",
    ),
    "the encoded sample": (
        "tests/web/page/images/",
        "tests/web/page/products/",
        "tests/web/page/proxies/",
        "tests/web/page/test_",
    ),
    "the fork server and torch": ("tests/encoder/",),
    "commands of the fork server": (  # other files run commands too, but these files run the most
        "tests/end_to_end/test_demo.py",
        "tests/end_to_end/test_command_line.py",
        "tests/end_to_end/test_cookbook.py",
        "tests/end_to_end/test_catalog_command.py",
        "tests/end_to_end/test_evaluate_command.py",
        "tests/end_to_end/test_ranking_commands.py",
        "tests/jobs/test_jobs.py",
        "tests/loader/sync/test_sync.py",
        "tests/loader/sync/test_watch.py",
        "tests/loader/test_cli.py",
        "tests/loader/test_columns.py",
        "tests/loader/test_remote_file.py",
        "tests/migrations/test_upgrade_script.py",
        "tests/sql/matches/test_match_quality.py",
        "tests/test_setting_sources.py",
        "tests/web/access/test_access.py",
        "tests/web/test_transaction_pooler.py",
    ),
}
LONGEST = (  # files and groups that take more than 10 seconds of processor time, the longest first
    "a copy of the server",  # first, because each earlier test would add a database to the copy
    "the encoded sample",
    "commands of the fork server",
    "the fork server and torch",
    "the large catalog",
    "tests/web/page/staff/test_browser.py",
    "tests/benchmarks/test_benchmarks.py",
    "tests/migrations/test_upgrade.py",
    "tests/migrations/test_site_revisions.py",
    "tests/migrations/test_model_revisions.py",
    "tests/web/test_contract.py",
    "tests/migrations/test_gateway.py",
    "tests/db/embedded/test_server.py",
    "tests/security/test_filter_injection.py",
    "tests/sql/matches/test_match_products.py",
    "tests/sql/browsing/test_facets.py",
    "tests/sql/models/test_switch.py",
)


def scope(nodeid: str) -> str:
    """Returns the group of a test, or the file of the test if the file belongs to no group."""
    file = nodeid.split("::", 1)[0]
    return next((group for group, paths in GROUPS.items() if file.startswith(paths)), file)


def order(nodeid: str) -> int:
    """Returns the index of a test's group or file in LONGEST, or the index after the last entry."""
    name = scope(nodeid)
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


class GroupScheduling(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
