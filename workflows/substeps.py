"""Sub-steps of a roster's flow: taken inside the statutory desks, before the desk's own step. （第二十三、二十四条）"""
