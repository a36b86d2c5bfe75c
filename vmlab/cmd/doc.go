// Package cmd has the commands of drydock lab.
//
// A command finds its lab by --lab, by DRYDOCK_LAB, or because there is only one;
// it reads the lab's directory and asks its keeper. Exit codes are those of all of
// drydock: 2 a wrong call or file, 4 a lab that could not be brought to where it
// should be, 130 interrupted; exec and ssh end as what they ran.
package cmd
