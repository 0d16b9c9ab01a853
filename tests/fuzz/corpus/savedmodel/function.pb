'%


aConst


f
w	WriteFile