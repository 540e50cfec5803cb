# Of megaphone.example.yml makes /etc/megaphone/megaphone.yml, for a service of the system.
s/^(# Megaphone's configuration\.) Copy it to megaphone\.yml and take the "#" off what you change:/\1 Take the "#" off what you change:/
# A service is to be watched.
s/^#admin_port: 0$/admin_port: 9080/
s,^#cookie_file: .*,# The service is handed this file by systemd (LoadCredential=); commands read it as root.\ncookie_file: /etc/megaphone/cookie,
