-- When two products are the same: the rule of shop.matches and shop.match_products.
--
-- Each distance has a threshold at which it is enough by itself: its closeness is 1 there, 2 at no distance, and 0 from
-- twice the threshold on. A pair's score is the closeness of the pictures (by perceptual hash or vector, whichever is
-- closer) plus that of the titles (the mean of vector and trigrams). 1 is a match, so two halves make one. A distance
-- that is null, such as that of a product still to be encoded, adds nothing. Titles under 20 bytes count in proportion:
-- "Flower" says what kind of thing it is, not which one.
--
-- These three set no search_path, so that they are inlined.
create or replace function shop_private.closeness(distance double precision, threshold double precision)
returns double precision
language sql immutable parallel safe
return greatest(0, 2 - distance / nullif(threshold, 0));
