"""The encoder process turns texts and images into vectors: queries first, and the catalog between queries."""
