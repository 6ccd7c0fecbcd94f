"""CASES has, for each alert, series with which the alert fires and series with which the alert does not fire.

The values have the notation of promtool's unit tests: `0+60x30` starts at 0 and grows by 60 a minute, for 30 minutes.
"""

from dataclasses import dataclass

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    fires: Series
    quiet: Series
    minutes: int = 60  # the minute in which the test looks whether the alert fires


def requests(failed: str, answered: str) -> Series:
    return {
        'windowshop_http_requests_total{job="web",route="/search/text",status="200"}': answered,
        'windowshop_http_requests_total{job="web",route="/search/text",status="503"}': failed,
    }


def buckets(metric: str, *, fast: str, all_: str) -> Series:
    """Returns the series of a histogram. `fast` counts the values up to half a second, and `all_` the values up to two
    seconds."""
    return {
        f'{metric}_bucket{{job="x",kind="text",route="hnsw",le="0.5"}}': fast,
        f'{metric}_bucket{{job="x",kind="text",route="hnsw",le="2.0"}}': all_,
        f'{metric}_bucket{{job="x",kind="text",route="hnsw",le="+Inf"}}': all_,
        f'{metric}_count{{job="x",kind="text",route="hnsw"}}': all_,
    }


CASES = {
    "WebDown": Case(
        {'up{job="web",instance="a"}': "0x60", 'up{job="web",instance="b"}': "0x60"},
        {'up{job="web",instance="a"}': "0x60", 'up{job="web",instance="b"}': "1x60"},
    ),
    # The alert fires if 80 of 1,000 requests a minute fail for 70 minutes. In the quiet case, they fail for only 5
    # minutes, so the error rate of the hour stays below the limit.
    "ErrorBudgetFast": Case(
        requests("0+80x70", "0+920x70"), requests("0x64 0+80x5", "0+1000x64 64000+920x5"), minutes=70
    ),
    "ErrorBudgetSlow": Case(requests("0+40x400", "0+960x400"), requests("0+20x400", "0+980x400"), minutes=400),
    "SearchSlow": Case(
        buckets("windowshop_search_seconds", fast="0+80x60", all_="0+100x60"),
        buckets("windowshop_search_seconds", fast="0+99x60", all_="0+100x60"),
    ),
    "SearchesDegraded": Case(
        {'windowshop_search_degraded_total{job="web"}': "0+10x60", "windowshop_search_seconds_count": "0+100x60"},
        {'windowshop_search_degraded_total{job="web"}': "0+1x60", "windowshop_search_seconds_count": "0+100x60"},
    ),
    "RequestsQueue": Case(
        {'windowshop_database_waiting{instance="a",pool="read"}': "12x60"},
        {'windowshop_database_waiting{instance="a",pool="read"}': "0 16 0 12x3 0 3x60"},
    ),
    "NoEncoder": Case({"windowshop_encoder_running": "0x60"}, {"windowshop_encoder_running": "1x50 0 1x10"}),
    "QueriesWait": Case(
        buckets("windowshop_encoder_query_wait_seconds", fast="0+50x60", all_="0+100x60"),
        buckets("windowshop_encoder_query_wait_seconds", fast="0+99x60", all_="0+100x60"),
    ),
    "EncodingLate": Case(
        {'windowshop_work_oldest_seconds{instance="a"}': "3000+60x60"},
        {'windowshop_work_oldest_seconds{instance="a"}': "0+50x60"},
    ),
    "EncodingFails": Case(
        {"windowshop_encoder_failed_total": "0+30x60", 'windowshop_encoder_encoded_total{part="image"}': "0+100x60"},
        {"windowshop_encoder_failed_total": "0+1x60", 'windowshop_encoder_encoded_total{part="image"}': "0+100x60"},
    ),
    "ItemsQuarantined": Case({"windowshop_work_quarantined": "250x60"}, {"windowshop_work_quarantined": "40x60"}),
    "HeartbeatLate": Case(
        {'windowshop_encoder_heartbeat_age_seconds{instance="a"}': "0+60x60"},
        {'windowshop_encoder_heartbeat_age_seconds{instance="a"}': "9x60"},
    ),
    # In the quiet case, only one of two processes is not ready.
    "JobsDown": Case(
        {'up{job="jobs",instance="a"}': "0x60"},
        {'windowshop_jobs_ready{instance="a"}': "0x60", 'windowshop_jobs_ready{instance="b"}': "1x60"},
    ),
    # In the quiet case, the feed that failed is loaded successfully within 10 minutes.
    "FeedFails": Case(
        {'windowshop_feeds_failed{instance="a"}': "1x60"},
        {'windowshop_feeds_failed{instance="a"}': "0x50 1x9 0"},
    ),
    "FeedLate": Case(
        {'windowshop_feeds_late_seconds{instance="a"}': "0+90x60"},
        {'windowshop_feeds_late_seconds{instance="a"}': "0+50x60"},
    ),
    "DatabaseDown": Case({"pg_up": "0x60"}, {"pg_up": "1x60"}),
    "PrimaryDown": Case(
        {'windowshop_primary_answers{instance="a"}': "0x60", 'windowshop_primary_answers{instance="b"}': "0x60"},
        {'windowshop_primary_answers{instance="a"}': "0x60", 'windowshop_primary_answers{instance="b"}': "1x60"},
    ),
    "ServerUnseen": Case(
        {'pg_up{job="postgres",instance="a"}': "1x60", 'pg_up{job="postgres",instance="b"}': "0x60"},
        {'pg_up{job="postgres",instance="a"}': "0x60", 'pg_up{job="postgres",instance="b"}': "0x60"},
    ),
    "ConnectionsScarce": Case(
        {'pg_stat_activity_count{state="idle"}': "90x60", "pg_settings_max_connections": "100x60"},
        {'pg_stat_activity_count{state="idle"}': "50x60", "pg_settings_max_connections": "100x60"},
    ),
    "TransactionOld": Case(
        {'pg_stat_activity_max_tx_duration{state="idle in transaction"}': "3000+60x60"},
        {
            'pg_stat_activity_max_tx_duration{state="idle"}': "9000x60",
            'pg_stat_activity_max_tx_duration{state="active"}': "30x60",
        },
    ),
    "DeadRows": Case(
        {
            'pg_stat_user_tables_n_dead_tup{schemaname="shop",relname="product"}': "900000x90",
            'pg_stat_user_tables_n_live_tup{schemaname="shop",relname="product"}': "1000000x90",
        },
        {
            'pg_stat_user_tables_n_dead_tup{schemaname="shop",relname="product"}': "200000x90",
            'pg_stat_user_tables_n_live_tup{schemaname="shop",relname="product"}': "1000000x90",
        },
        minutes=90,
    ),
    "ReplicaLate": Case(
        {'pg_replication_lag_seconds{instance="b"}': "0+60x60", 'pg_replication_is_replica{instance="b"}': "1x60"},
        {'pg_replication_lag_seconds{instance="a"}': "0+60x60", 'pg_replication_is_replica{instance="a"}': "0x60"},
    ),
    # In the quiet case, one attempt failed 12 minutes ago, and none has failed since then.
    "ArchivingFails": Case({"pg_stat_archiver_failed_count": "0+3x60"}, {"pg_stat_archiver_failed_count": "7x47 8x12"}),
}
