-- Stores in shop.common_word the words that many products contain, each with the share of products that contain the
-- word. The words and shares come from the last ANALYZE of shop.product. The search by keywords reads this list.
-- Without the list, the search would have to look up a word in an index to find out that the word is common. A new
-- calibration and the encoder's housekeeping call this function, which takes little time.
create or replace function shop_private.refresh_common_words()
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    begin
        -- This lock conflicts with itself and with writers, but not with readers. Only the owner may take it.
        lock table shop.common_word in share row exclusive mode nowait;
    exception when lock_not_available then
        return;  -- another session is refreshing the words
    end;
    with seen as (
        select w.word, w.share from pg_stats s,
            unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs) w(word, share)
        where s.schemaname = 'shop' and s.tablename = 'product' and s.attname = 'keywords' and w.word is not null
    ), gone as (
        delete from shop.common_word c where not exists (select from seen where seen.word = c.word)
    )
    insert into shop.common_word as c (word, share) select word, share from seen
    on conflict (word) do update set share = excluded.share where c.share <> excluded.share;
end $$;
