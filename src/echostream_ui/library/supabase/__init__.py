"""The library in a Supabase project. Nothing else uses Supabase's own packages."""
