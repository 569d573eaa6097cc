"""The rule language: facts of a roster line, parsed, type-checked, compiled to one SQL statement. （第十八条）"""
