-- Puts linked items into groups. Items are numbered from 1. Link n joins the items p_first[n] and p_second[n]; the
-- strongest link comes first. Returns, for each item, the smallest item number in the item's group.
--
-- Two groups are merged only if the merged group has at most p_most members, and if at least half of the pairs between
-- the groups are linked. A pair has one item of each group. Without the condition on pairs, a chain of products, each a
-- little like the next, could become one group of up to p_most products.
create or replace function shop_private.groups(p_first integer[], p_second integer[], p_most integer)
returns integer[]
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    total constant integer := coalesce((select max(n) from unnest(p_first || p_second) n), 0);
    leader integer[] := array(select generate_series(1, total));
    successor integer[] := leader;  -- the next member of the item's group; after the last member comes the first member
    size integer[] := array_fill(1, array[total]);
    neighbour integer[];  -- the neighbours of all items, item by item; the neighbours of item n begin at start[n]
    start integer[];
    x integer;  -- the leader of the smaller group of a link
    y integer;  -- the leader of the larger group
    member integer;
    linked integer;  -- the number of links between the two groups
begin
    select array_agg(e.b order by e.a) into neighbour from (
        select f.a, f.b from unnest(p_first, p_second) f(a, b)
        union all select f.b, f.a from unnest(p_first, p_second) f(a, b)) e;
    select array_agg(d.start order by d.n) into start from (
        select n, 1 + sum(count(e.a)) over (order by n) - count(e.a) as start
        from generate_series(1, total + 1) n left join unnest(p_first || p_second) e(a) on e.a = n group by n) d;
    for link in 1 .. coalesce(cardinality(p_first), 0) loop
        x := leader[p_first[link]];
        y := leader[p_second[link]];
        continue when x = y or size[x] + size[y] > p_most;
        if size[x] > size[y] then
            member := x; x := y; y := member;
        end if;
        linked := 0;
        member := x;
        loop
            for n in start[member] .. start[member + 1] - 1 loop
                if leader[neighbour[n]] = y then
                    linked := linked + 1;
                end if;
            end loop;
            member := successor[member];
            exit when member = x;
        end loop;
        continue when 2 * linked < size[x] * size[y];
        loop
            leader[member] := y;
            member := successor[member];
            exit when member = x;
        end loop;
        size[y] := size[y] + size[x];
        member := successor[x]; successor[x] := successor[y]; successor[y] := member;
    end loop;
    return (
        select array_agg(s.smallest order by s.n)
        from (select l.n, min(l.n) over (partition by l.leader) as smallest
              from unnest(leader) with ordinality l(leader, n)) s);
end $$;
