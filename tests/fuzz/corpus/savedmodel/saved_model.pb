


aConst

badPyFunc