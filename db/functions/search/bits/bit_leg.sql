-- Finds the nearest products that meet p_condition, through an index over bits: IVFFlat, or HNSW over few rows.
-- p_condition is a condition on p (shop.product), or null (see scan_condition). p_source is the source of the vectors
-- of p_part (see vector_leg), p_bits their dimension and p_index the name of the index. p_depth is the number of
-- products. Each product is listed once, with its nearest image.
--
-- The order of the index is only similar to the order of the cosine distances. The scan therefore takes many candidates
-- and ranks those that meet the condition by their cosine distances. p_candidates is the number of candidates that a
-- search without a filter takes. p_share is the share of the products of p_source that meet p_condition. The smaller
-- this share is, the fewer matches a scan needs: about p_candidates * sqrt(p_share) of the candidates must meet the
-- condition, or more if p_depth products need more. The scan is repeated with twice as many candidates, up to p_most,
-- until enough of them meet the condition. An IVFFlat index reads one list for each @bit_list_candidates@ candidates,
-- and then more lists until it has as many candidates as the scan takes.
--
-- `complete` is true if p_depth products were found, even if too few candidates met the condition; leg.reason then says
-- after how many candidates the scan ended. Unless p_forced is true, there are two exceptions. The leg is not complete
-- if far fewer candidates match than p_share predicts, because the filter then excludes the query's neighbourhood.
-- Nothing is scanned if more than p_most candidates seem to be needed and p_most is below @hnsw_max_candidates@:
-- comparing all matches then costs less than the scan.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the settings of scans

create or replace function shop_private.bit_leg(
    p_part text, p_source text, p_bits integer, p_vector @vector@.halfvec, p_condition text,
    p_share double precision, p_depth integer, p_rows_per_product double precision, p_index text,
    p_candidates integer, p_most integer, p_forced boolean, out leg shop_private.leg, out complete boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set hnsw.iterative_scan = relaxed_order
set hnsw.scan_mem_multiplier = @scan_mem_multiplier@
set work_mem = @scan_work_mem@
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = @max_scan_tuples@
set ivfflat.iterative_scan = relaxed_order
set ivfflat.max_probes = @bit_most_lists@
set ivfflat.probes = @bit_lists@
as $$
declare
    began constant timestamptz := clock_timestamp();
    every_product constant boolean := p_condition is null
        or p_condition = 'true' and not row_security_active('shop.product'::regclass);
    wanted constant integer := ceil(greatest(p_candidates * sqrt(p_share),
        @bit_depth_factor@ * p_depth * greatest(1, least(p_rows_per_product, @max_images_per_product@))));
    statement constant text := format(
        'select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate) filter (where %s), count(*)
        from (select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
            from %s i order by %s limit $2) c %s',
        case when every_product then 'true' else format('p.product_id is not null and (%s)', p_condition) end,
        p_source, shop_private.scan_order(p_bits, '$1'),
        case when not every_product then 'left join shop.product p on p.product_id = c.product_id' end);
    row_limit integer := least(p_most, ceil(wanted / p_share));
    nearest shop_private.candidate[];
    matching integer;
    scanned integer;
    examined bigint := 0;
    far boolean;
begin
    complete := false;
    if not p_forced and wanted / p_share > p_most and p_most < @hnsw_max_candidates@ then
        return;
    end if;
    loop
        perform set_config('hnsw.ef_search', least(@max_ef_search@, row_limit)::text, true),
            set_config('ivfflat.probes', ceil(row_limit / @bit_list_candidates@::real)::integer::text, true);
        execute statement into nearest, scanned using p_vector, row_limit;
        examined := examined + scanned;
        matching := coalesce(cardinality(nearest), 0);
        far := not p_forced and matching < scanned * p_share / @hnsw_anti_correlation@;
        exit when matching >= wanted or scanned < row_limit or row_limit >= p_most or far;
        row_limit := least(p_most, 2 * row_limit);
    end loop;
    leg := shop_private.leg_from_candidates(nearest, p_depth);
    complete := not far and coalesce(cardinality(leg.product_ids), 0) = p_depth;
    leg.reason := case when complete and matching < wanted then format(
        '%s: the scan of the index ended after %s candidates', p_part, examined) end;
    leg.route := 'bit';
    leg.index_name := p_index;
    leg.ef_search := row_limit;
    leg.rows_examined := examined;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;
