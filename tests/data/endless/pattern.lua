local function f()
  return ("x"):rep(30):find((".-"):rep(30).."y")
end
f()
return {}
