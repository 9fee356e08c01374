# Whether a request gets through this nginx to a replica.
exec 3<>/dev/tcp/127.0.0.1/8080
printf 'GET /livez HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
read -r answer <&3
case $answer in *" 200 "*) exit 0 ;; esac
echo "$answer"
exit 1
