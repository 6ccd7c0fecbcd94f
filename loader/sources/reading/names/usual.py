"""Lists the column names that shops use for each field."""

from db.catalog.product import COLUMNS, SALE_DATES

# The column names that shops use for each field, best first. If several columns have a name of the same field, the
# field takes the column with the best name. A column without any value is taken only if none of the others has values.
# The other columns become attributes, or provide further values of the field.
# TRANSLATIONS has these names in other languages.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    **{column: (column,) for column in COLUMNS if column != "image_link"},
    "sku": ("sku", "seller_sku", "item_sku", "product_sku", "merchant_sku", "sku_code", "id", "offer_id", "posting_id",
            "product_id", "item_id", "retailer_id", "handle", "article_number", "listing_id", "product_number",
            "item_number", "item_no", "article_no", "product_code", "item_code", "stock_code", "external_id",
            "internal_reference", "default_code", "custom_label", "merchant_product_id", "object_id", "_id"),
    "title": ("title", "name", "product_title", "product_name", "product_display_name", "item_name", "item_title",
              "article_name"),
    "description": ("description", "product_description", "long_description", "body_html", "description_html",
                    "desc", "item_description", "full_description", "long_desc", "sales_description",
                    "description_sale", "short_description"),
    "brand": ("brand", "brand_name", "vendor", "manufacturer", "manufacturer_name"),
    "product_type": ("product_type", "product_types", "category", "categories", "product_category", "category_path",
                     "category_name", "categ_id", "department", "merchant_category", "advertiser_category",
                     "type"),
    "price": ("price", "regular_price", "standard_price", "selling_price", "sales_price",
              "current_price", "price_incl_tax", "gross_price", "price_gross", "our_price", "your_price", "final_price",
              "price_now", "shop_price", "store_price", "web_price", "online_price", "retail_price", "unit_price",
              "start_price",
              "list_price", "search_price", "pricing"),
    "currency": ("currency", "currency_code", "price_currency", "currency_iso_code", "ccy"),
    "availability": ("availability", "stock_status", "availability_status", "in_stock", "is_in_stock", "is_available"),
    "gtin": ("gtin", "ean", "upc", "isbn", "barcode", "gtin13", "gtin14", "gtin12", "gtin8", "ean13", "ean_13",
             "ean_code", "upc_code", "bar_code"),
    "mpn": ("mpn", "manufacturer_part_number", "part_number"),
    "item_group_id": ("item_group_id", "parent_sku"),
    "link": ("link", "url", "product_url", "permalink", "online_store_url", "product_link", "deeplink", "deep_link",
             "buy_url", "merchant_deep_link", "landing_page_url"),
    "color": ("color", "colour", "colors", "colours", "color_name", "colour_name"),
    "size": ("size", "sizes", "size_name"),
    "material": ("material", "materials", "material_type"),
    "image": (
        "image", "images", "image_path", "image_file", "filename", "picture", "photo", "image_src", "image_url",
        "image_urls", "picture_url", "pictures", "photos", "image_link", "main_image", "featured_image", "thumbnail",
        "main_image_url", "product_image", "product_images", "product_image_url", "picture_link", "photo_url",
        "photo_urls", "pic_url", "main_image_link", "cover_media_url", "cover_image", "hosted_image_urls",
        "large_image", "big_image", "merchant_image_url", "hero_image", "primary_image",
        "primary_image_url", "image_name",
    ),
    "additional_image": (
        "additional_image", "additional_images", "additional_image_link", "additional_image_links",
        "additional_image_url", "additional_image_urls", "other_image", "other_images", "other_image_url",
        "other_image_urls", "gallery", "gallery_images",
    ),
    # This entry stands after "image", so a column image_link fills this field only if another column has the images.
    "image_link": ("image_link",),
    "image_phash": ("image_phash",),
    "keywords": ("keywords", "tags"),
    "sale_price": ("sale_price", "special_price", "promotional_price", "promotion_price",
                   "discount_price", "discounted_price", "promo_price", "offer_price",
                   "now_price", "price_now", "our_price", "your_price", "selling_price", "current_price",
                   "final_price"),
    "sale_starts_at": (
        "sale_starts_at", "sale_price_starts_at", "sale_price_start_date", "sale_start_date", "date_sale_price_starts",
        "date_on_sale_from_gmt", "date_on_sale_from", "special_price_from_date", "special_from_date",
        "sale_start", "sale_starts", "sale_begins_at", "sale_begin", "sale_from", "sale_from_date", "sale_date_from",
        "sale_price_start", "sale_price_from", "sale_price_dates_from", "special_price_from",
    ),
    "sale_ends_at": (
        "sale_ends_at", "sale_price_ends_at", "sale_price_end_date", "sale_end_date", "date_sale_price_ends",
        "date_on_sale_to_gmt", "date_on_sale_to", "special_price_to_date", "special_to_date",
        "sale_end", "sale_ends", "sale_until", "sale_to", "sale_to_date", "sale_date_to", "sale_price_end",
        "sale_price_to", "sale_price_dates_to", "special_price_to",
    ),
    SALE_DATES: ("sale_price_effective_date", "sale_dates"),
    "compare_at_price": (
        "compare_at_price", "list_price", "msrp", "rrp", "original_price", "was_price", "old_price", "mrp",
        "regular_price", "rrp_price", "former_price", "strike_through_price", "price_old", "compare_to_price",
        "compare_price", "price_before", "price_no_rebate",
    ),
    "quantity": (
        "quantity", "qty", "stock_quantity", "inventory_quantity", "inventory_level", "quantity_in_stock",
        "stock_level", "stock", "sell_on_google_quantity", "quantity_to_sell_on_facebook", "qty_available",
        "quantity_available", "available_quantity", "quantity_on_hand", "qty_on_hand", "stock_qty", "total_stock",
        "stock_total", "units_in_stock", "inventory",
        "available_stock", "current_stock", "inventory_count",
    ),
    "rating": ("rating", "average_rating", "avg_rating", "rating_value", "review_rating"),
    "review_count": ("review_count", "reviews_count", "rating_count", "ratings_count", "number_of_reviews"),
    "published_at": (
        "published_at", "date_published", "publish_date", "published_date", "publication_date", "pub_date",
    ),
}  # fmt: skip
