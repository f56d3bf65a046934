raise ValueError("日本")
