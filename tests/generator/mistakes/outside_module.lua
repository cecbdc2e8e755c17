local secret = require "../../secret"
