-- Raises the notice WS107 if rules give a search a redirect or a banner. Its DETAIL is JSON with redirect and banner.
-- The function needs no SET clause, because it runs under the search_path of shop.search.
create or replace function shop_private.tell_rules(p_ranking shop_private.search_ranking)
returns void
language plpgsql stable as $$
begin
    if p_ranking.notice ?| '{redirect,banner}' then
        raise notice using errcode = 'WS107', message = 'rules of the shop answer this search',
            detail = jsonb_build_object('redirect', p_ranking.notice -> 'redirect',
                'banner', p_ranking.notice -> 'banner');
    end if;
end $$;
