"""Features -> the one feature map that the heads read, in float32."""
