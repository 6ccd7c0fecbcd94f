-- Returns a hint that describes the parameter `inputs` of shop.search. Errors about the form of `inputs` and of its
-- entries show this hint.
create or replace function shop_private.input_example()
returns text
language sql immutable parallel safe as $$
    select 'inputs is a list such as [{"text": "red shoes"}, {"sku": "A-17", "weight": -0.5}]; each entry has one of '
        'text, image (base64), sku, vector (with model), and may have a weight.'
$$;
