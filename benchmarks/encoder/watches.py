"""Measures what 1,000 watches add to the work of an encoder. A watch is a stored search that reports each new product
that matches it. Two processor times for 64 products are compared. In the first, the database compares the products with
the watches. In the second, the starter model encodes the titles and images of the products."""

import os
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from sqlalchemy import Connection, text

from benchmarks.support.report import Line, keep, milliseconds
from benchmarks.support.site import encoder, site
from encoder.models.loading import load

BATCH = 64
PRODUCTS = 2_000
# Half of the watches have only a text, a quarter has a text and a filter, and a quarter has only a filter. The vectors
# of the texts are those of titles in the catalog.
_WATCHES = """
insert into shop.watch (catalog, name, query, filter, condition, words, created_by)
select 'main', 'w' || n, case when n % 4 < 3 then 'query ' || n end,
    case when n % 4 > 1 then f.filter end,
    shop_private.filter_condition(case when n % 4 > 1 then f.filter end),
    case when n % 4 < 3 then ('''word' || n || ''' & ''other''')::tsquery end, 'x'
from generate_series(1, 1000) n,
    lateral (select jsonb_build_object('price', jsonb_build_object('lt', n), 'color', 'red ' || n % 7) as filter) f;
insert into shop_private.watch_vector (watch_id, model_id, embedding, image_floor, title_floor)
select w.watch_id, m.model_id, t.embedding, f.image_floor, f.title_floor
from (select watch_id, row_number() over () as n from shop.watch where query is not null) w
join (select embedding, row_number() over (order by product_id) as n from shop.starter_title) t using (n)
cross join shop.model m
cross join lateral shop_private.watch_floors('starter', 'main', t.embedding) f;
analyze
"""
_BATCH = "select array_agg(product_id) from (select product_id from shop.product order by product_id limit :n) p"


def run(rounds: int = 20) -> None:
    with site() as measured:
        images = measured.load_images(PRODUCTS)
        with encoder(measured):
            while measured.left():
                time.sleep(0.5)
        with measured.database.connect(None) as conn:
            with conn.begin():
                for statement in _WATCHES.split(";\n"):
                    conn.execute(text(statement))
            batch = conn.scalar(text(_BATCH), {"n": BATCH})
            conn.rollback()
            sql, matches = _compare(conn, batch, rounds)
            conn.execute(text("delete from shop.watch where query is null"))
            similar, _ = _compare(conn, batch, rounds)
        encoded = _encode(images[:BATCH], rounds)
    share = sql / encoded
    lines = [
        Line("comparing 64 products with 1,000 watches", milliseconds(sql)),
        Line("comparing them with the 750 watches that have a text", milliseconds(similar)),
        Line("matches of the batch", f"{matches:,}"),
        Line("the starter, 64 titles and 64 images", milliseconds(encoded)),
        Line("comparing / encoding", f"{share:.3f}", "<= .05", share <= 0.05),
    ]
    raw = {"compared": sql, "similar": similar, "encoded": encoded}
    note = "Processor time of one core, the mean of all rounds. The images are decoded before the measurement."
    keep("watches", "1,000 watches, a batch of 64 products", lines, raw, note=note)


def _compare(conn: Connection, batch: Any, rounds: int) -> tuple[float, int]:
    """Returns how many seconds of processor time the server process takes to compare a batch, and the number of
    matches. The matches are rolled back."""
    pid = conn.scalar(text("select pg_backend_pid()"))
    began = 0.0
    matches = 0
    for number in range(-2, rounds):  # the first rounds warm up
        if number == 0:
            began = _cpu_seconds(pid)
        conn.execute(text("savepoint before"))
        conn.execute(text("select shop_private.watch_note(m.model_id, :batch) from shop.model m"), {"batch": batch})
        conn.execute(text("select shop_private.watch_tell(:batch)"), {"batch": batch})
        matches = conn.scalar(text("select count(*) from shop.watch_match")) or 0
        conn.execute(text("rollback to savepoint before"))
    return (_cpu_seconds(pid) - began) / rounds, matches


def _cpu_seconds(pid: Any) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _encode(paths: list[Path], rounds: int) -> float:
    torch.set_num_threads(1)
    model = load("starter")
    images = [Image.open(path).convert("RGB") for path in paths]
    titles = [f"{path.stem} {number}" for number, path in enumerate(paths)]
    model.warm_up()
    began = time.process_time()
    for _ in range(rounds):
        model.encode_texts(titles)
        model.encode_images(images)
    return (time.process_time() - began) / rounds
