local function deeper(n) return 1 + deeper(n) end
return deeper(1)
