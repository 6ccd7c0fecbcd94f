"""Reads the JSON that the APIs of shop platforms give: WooCommerce, Magento 2, Medusa, Shopify and Stripe."""
