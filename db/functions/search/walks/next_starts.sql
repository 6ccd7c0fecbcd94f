-- Returns the vectors from which the next round of walks (scans near other vectors than the query, see leg_from_starts)
-- starts. They are the vectors of at most @start_count@ of the @start_choice@ nearest products of a ranking. Each
-- vector lies at least @start_distance@ (cosine distance) from the other returned vectors and from the starts of
-- earlier rounds (p_used). p_far is true if a filter excludes the query's neighbourhood. The least distance is then
-- @far_start_distance@, and the largest number of vectors is @far_first_count@ in the first round and @far_start_count@
-- later. The function needs no SET clause, because it runs under the search_path of leg_from_starts.
create or replace function shop_private.next_starts(
    p_part text, p_leg shop_private.leg, p_used @vector@.halfvec[], p_far boolean
)
returns @vector@.halfvec[]
language plpgsql stable as $$
declare
    most constant integer := case when not p_far then @start_count@
        when cardinality(p_used) = 0 then @far_first_count@ else @far_start_count@ end;
    least_distance constant double precision := case when p_far then @far_start_distance@ else @start_distance@ end;
    candidates @vector@.halfvec[];
    candidate @vector@.halfvec;
    chosen @vector@.halfvec[] := '{}';
begin
    if p_part = 'image' then
        candidates := array(
            select i.embedding from unnest(p_leg.product_ids[:@start_choice@], p_leg.positions[:@start_choice@])
                with ordinality l(product_id, position, place)
            join shop.image_vector i on i.product_id = l.product_id and i.position = l.position order by l.place);
    else
        candidates := array(
            select t.embedding from unnest(p_leg.product_ids[:@start_choice@]) with ordinality l(product_id, place)
            join shop.title_vector t on t.product_id = l.product_id order by l.place);
    end if;
    foreach candidate in array candidates loop
        continue when exists (select from unnest(p_used || chosen) s
            where s operator(@vector@.<=>) candidate < least_distance);
        chosen := chosen || candidate;
        exit when cardinality(chosen) = most;
    end loop;
    return chosen;
end $$;
