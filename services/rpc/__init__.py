"""What every gRPC server here needs: who is let in, how requests must look, how refusals travel."""
