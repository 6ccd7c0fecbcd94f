-- Returns the text search configuration of a language: de, de-AT, DE and german give german. Returns null for a
-- language without a configuration.
create or replace function shop_private.text_language(p_language text)
returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.cfgname
    from pg_ts_config c
    left join (values
        ('ar', 'arabic'), ('hy', 'armenian'), ('eu', 'basque'), ('ca', 'catalan'), ('da', 'danish'), ('nl', 'dutch'),
        ('en', 'english'), ('et', 'estonian'), ('fi', 'finnish'), ('fr', 'french'), ('de', 'german'), ('el', 'greek'),
        ('hi', 'hindi'), ('hu', 'hungarian'), ('id', 'indonesian'), ('ga', 'irish'), ('it', 'italian'),
        ('lt', 'lithuanian'), ('ne', 'nepali'), ('no', 'norwegian'), ('nb', 'norwegian'), ('pt', 'portuguese'),
        ('ro', 'romanian'), ('ru', 'russian'), ('sr', 'serbian'), ('es', 'spanish'), ('sv', 'swedish'),
        ('ta', 'tamil'), ('tr', 'turkish'), ('yi', 'yiddish')) v(code, name) on v.name = c.cfgname
    where c.cfgnamespace = 'pg_catalog'::regnamespace
      and (c.cfgname = lower(btrim(p_language))
          or v.code = lower(split_part(translate(btrim(p_language), '_', '-'), '-', 1)))
    limit 1
$$;
