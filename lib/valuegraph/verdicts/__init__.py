"""What a verdict on a model against people rests on."""
