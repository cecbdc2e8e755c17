local chat = require "chat.chatlm"
return {}
