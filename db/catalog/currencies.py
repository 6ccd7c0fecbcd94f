# ruff: noqa: RUF001 - symbols of all scripts
"""Lists the symbols and codes of currencies. Most symbols are from the locale data of Unicode's CLDR."""

# Maps each symbol of a single currency to the code of that currency. The symbols are written without blanks and without
# a full stop at the end, because prices.py removes both before it looks a symbol up.
SYMBOLS = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₺": "TRY", "₩": "KRW", "￦": "KRW", "₫": "VND", "₴": "UAH",
    "₪": "ILS", "₱": "PHP", "฿": "THB", "₦": "NGN", "₸": "KZT", "₼": "AZN", "₾": "GEL", "₡": "CRC", "₲": "PYG",
    "₭": "LAK", "₮": "MNT", "৳": "BDT", "֏": "AMD", "؋": "AFN", "៛": "KHR", "₵": "GHS", "GH₵": "GHS", "元": "CNY",
    "円": "JPY", "원": "KRW", "US$": "USD", "$US": "USD", "A$": "AUD", "AU$": "AUD", "$AU": "AUD", "$A": "AUD",
    "CA$": "CAD", "CAD$": "CAD", "$CA": "CAD", "CDN$": "CAD", "NZ$": "NZD", "$NZ": "NZD", "HK$": "HKD",
    "$HK": "HKD", "NT$": "TWD", "MX$": "MXN", "$MX": "MXN", "R$": "BRL", "BR$": "BRL", "S$": "SGD", "SG$": "SGD",
    "$SG": "SGD", "RD$": "DOP", "AR$": "ARS", "CL$": "CLP", "CO$": "COP", "COL$": "COP", "$CL": "CLP", "$CO": "COP",
    "$AR": "ARS", "$U": "UYU", "$UY": "UYU", "JM$": "JMD", "TT$": "TTD", "EC$": "XCD", "MOP$": "MOP", "FJ$": "FJD",
    "CN¥": "CNY", "¥CN": "CNY", "JP¥": "JPY", "GB£": "GBP", "£GB": "GBP", "UK£": "GBP", "EG£": "EGP", "TH฿": "THB",
    "R": "ZAR", "S/": "PEN", "B/": "PAB", "Bs": "BOB", "Rp": "IDR", "RM": "MYR", "Kč": "CZK", "Kc": "CZK", "zł": "PLN",
    "zl": "PLN", "Ft": "HUF", "lei": "RON", "leu": "RON", "лв": "BGN", "ден": "MKD", "дин": "RSD", "din": "RSD",
    "руб": "RUB", "р": "RUB", "rub": "RUB", "грн": "UAH", "тг": "KZT", "сом": "KGS", "TL": "TRY", "euro": "EUR",
    "euros": "EUR", "евро": "EUR", "Dkr": "DKK", "Nkr": "NOK", "Skr": "SEK", "KSH": "KES", "TSH": "TZS",
    "USH": "UGX", "den": "MKD", "Rf": "MVR", "Dhs": "AED", "Dh": "AED", "AED": "AED", "NIS": "ILS",
    "KM": "BAM", "Lekë": "ALL", "DA": "DZD", "DT": "TND", "KD": "KWD", "BD": "BHD", "JD": "JOD", "LD": "LYD",
    "RF": "RWF", "VT": "VUV", "UM": "MRU", "Kz": "AOA", "T$": "TOP", "Fdj": "DJF", "FBu": "BIF", "FG": "GNF",
    "CF": "KMF", "FC": "CDF", "Nfk": "ERN", "Ar": "MGA", "MTn": "MZN", "Le": "SLE", "Db": "STN", "MK": "MWK",
    "Afl": "AWG", "Nu": "BTN", "Cg": "XCG", "Ikr": "ISK", "BZ$": "BZD", "Bds$": "BBD", "BS$": "BSD", "BM$": "BMD",
    "SI$": "SBD", "SB$": "SBD", "WS$": "WST", "FCFP": "XPF", "CFPF": "XPF", "KA$": "CAD",
    "Q": "GTQ", "Gs": "PYG", "Bs.S": "VES", "E": "SZL", "G": "HTG", "S": "SOS", "LS": "SYP", "сўм": "UZS",
    "soʻm": "UZS", "КМ": "BAM", "ብር": "ETB", "ރ": "MVR", "ریال": "IRR", "नेरू": "NPR", "රු": "LKR", "ر": "PKR",
    "ل.س": "SYP", "ر.ي": "YER", "ج.س": "SDG", "أ.م": "MRU",
    "د.ك": "KWD", "د.ب": "BHD", "ر.ع": "OMR", "د.ت": "TND", "د.أ": "JOD", "د.ع": "IQD", "د.ل": "LYD", "د.إ": "AED",
    "ر.س": "SAR", "ر.ق": "QAR", "ج.م": "EGP", "د.م": "MAD", "د.ج": "DZD", "ل.ل": "LBP",
}  # fmt: skip

# Codes of ISO 4217, some of them former codes, and codes of some digital and local currencies. In a price, a word of
# three letters that is in none of these tables, such as "PCS", is not read as a currency.
CODES = frozenset((
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BRL", "BSD", "BTC", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLF", "CLP", "CNH",
    "CNY", "COP", "CRC", "CUC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EEK", "EGP", "ERN", "ETB", "ETH",
    "EUR", "FJD", "FKP", "GBP", "GEL", "GGP", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG",
    "HUF", "IDR", "ILS", "IMP", "INR", "IQD", "IRR", "ISK", "JEP", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF",
    "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LTL", "LVL", "LYD", "MAD", "MDL", "MGA",
    "MKD", "MMK", "MNT", "MOP", "MRO", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK",
    "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR",
    "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SLL", "SOS", "SRD", "SSP", "STD", "STN", "SVC", "SYP", "SZL",
    "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VEF", "VES",
    "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG", "ZWL",
))  # fmt: skip

# Maps each symbol that several currencies share to the codes of these currencies. If no other column of the feed names
# the currency, the currency of a price with such a symbol is unknown.
SHARED: dict[str, frozenset[str]] = {
    "$": frozenset((
        "ARS", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CLP", "COP", "CUP", "CVE", "DOP", "FJD", "GYD", "HKD",
        "JMD", "KYD", "LRD", "MXN", "NAD", "NZD", "SBD", "SGD", "SRD", "TTD", "TWD", "USD", "UYU", "XCD",
    )),
    "¥": frozenset(("CNY", "JPY")),
    "br": frozenset(("BYN", "ETB")),
    "d": frozenset(("GMD", "VND")),
    "f": frozenset(("XAF", "XOF", "GNF", "RWF", "BIF", "DJF", "KMF", "CHF")),
    "k": frozenset(("MMK", "PGK", "ZMW")),
    "l": frozenset(("ALL", "HNL", "MDL", "SZL")),
    "p": frozenset(("BWP", "PHP")),
    "c$": frozenset(("CAD", "NIO")),
    "cfa": frozenset(("XAF", "XOF")),
    "fcfa": frozenset(("XAF", "XOF")),
    "sr": frozenset(("SAR", "SCR")),
    "kr": frozenset(("DKK", "EEK", "ISK", "NOK", "SEK")),
    "rs": frozenset(("INR", "LKR", "MUR", "NPR", "PKR", "SCR")),
}  # fmt: skip
OTHER_SPELLINGS = {"￥": "¥", "₨": "rs"}

THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))

# Codes and symbols of currencies whose prices usually have no decimals. In such a price, a dot or comma before three
# digits separates thousands. The price is refused if this character is the decimal mark of the file's other prices.
NO_DECIMALS = frozenset((
    "BIF", "CLP", "COP", "DJF", "GNF", "HUF", "IDR", "IRR", "ISK", "JPY", "KMF", "KRW", "LAK", "MGA", "MMK", "PYG",
    "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF", "¥", "cfa", "fcfa",
))  # fmt: skip
